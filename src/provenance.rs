//! What a run is made with: plain data that goes with its results for good. Knows nothing of how
//! any of it is found out, nor of where it is kept.
//!
//! Every field has a default, so that what earlier versions wrote is still read.

use serde::{Deserialize, Serialize};

use crate::ids::DeviceId;

/// Frozen when a run begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The controller.
    pub controller: Program,
    /// The worker.
    pub worker: WorkerBinary,
    /// What the run computes on.
    pub devices: Vec<Device>,
    /// Attempts at a time.
    pub slots: u32,
    /// Intra-op threads of each.
    pub threads: u32,
    /// Attempts after the first that a retryable failure may have.
    pub max_retries: u32,
    /// Host name.
    pub host: String,
    /// Operating system.
    pub os: String,
    /// Kernel with its release.
    pub kernel: String,
    /// What was typed.
    pub argv: Vec<String>,
    /// Data sets that trials are trained or judged on.
    pub data: Vec<DataSet>,
}

/// A program of this project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Program {
    /// Version.
    pub version: String,
    /// Commit that it was built from; `-dirty` behind it when files differed, `unknown` outside a
    /// checkout.
    pub commit: String,
}

/// A worker's binary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerBinary {
    /// BLAKE3 of the file, in hexadecimal digits.
    pub digest: String,
    /// What it says of itself; `None` where it says nothing.
    pub about: Option<About>,
}

impl WorkerBinary {
    /// Returns the digits that people see.
    pub fn short(&self) -> &str {
        self.digest.get(..8).unwrap_or(&self.digest)
    }
}

/// What a worker says of itself: the line that its `--about` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Version and commit.
    #[serde(flatten)]
    pub program: Program,
    /// Version of libtorch.
    pub libtorch: String,
    /// CUDA version that libtorch was built with; `None` for one that knows the CPU alone.
    pub cuda: Option<String>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// Model.
    #[serde(default)]
    pub model: String,
    /// Version of its driver; `None` for the CPU.
    #[serde(default)]
    pub driver: Option<String>,
}

/// A data set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSet {
    /// As `data.name` has it.
    pub name: String,
    /// Where it lies; `None` for one that is made in memory.
    pub path: Option<String>,
    /// Of its content, where that is measured.
    pub digest: Option<String>,
    /// Training images, where known.
    pub train: Option<u64>,
    /// Test images, where known.
    pub test: Option<u64>,
}

impl Provenance {
    /// Returns the facts as lines of a name and a value, in an order that reads well.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        let mut add = |name: &str, value: String| {
            if !value.is_empty() {
                facts.push((name.to_owned(), value));
            }
        };
        add("controller", self.controller.words());
        add("worker", self.worker.words());
        if let Some(about) = &self.worker.about {
            add("libtorch", about.libtorch_words());
        }
        for device in &self.devices {
            add(&device.id.to_string(), device.words());
        }
        add("host", self.host.clone());
        add("system", [self.os.as_str(), &self.kernel].join(", ").trim_matches([',', ' ']).into());
        for set in &self.data {
            add("images", set.words());
        }
        add("typed", self.argv.join(" "));
        facts
    }
}

impl Program {
    fn words(&self) -> String {
        match (self.version.as_str(), self.commit.as_str()) {
            (version, "" | "unknown") => version.to_owned(),
            (version, commit) => format!("{version} ({commit})"),
        }
    }
}

impl WorkerBinary {
    /// Returns digest and version in a few words.
    pub fn words(&self) -> String {
        match &self.about {
            Some(about) => format!("{} {}", self.short(), about.program.words()),
            None => self.short().to_owned(),
        }
    }
}

impl About {
    fn libtorch_words(&self) -> String {
        match &self.cuda {
            Some(cuda) => format!("{}, CUDA {cuda}", self.libtorch),
            None => self.libtorch.clone(),
        }
    }
}

impl Device {
    fn words(&self) -> String {
        match &self.driver {
            Some(driver) => format!("{}, driver {driver}", self.model),
            None => self.model.clone(),
        }
    }
}

impl DataSet {
    fn words(&self) -> String {
        let mut words = vec![self.name.clone()];
        words.extend(self.train.map(|images| format!("{images} to train on")));
        words.extend(self.test.map(|images| format!("{images} to test on")));
        words.extend(self.digest.as_ref().map(|digest| format!("digest {digest}")));
        words.extend(self.path.clone());
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first version of this document may have lacked.
    #[test]
    fn what_earlier_versions_wrote_is_still_read() {
        assert_eq!(serde_json::from_str::<Provenance>("{}").unwrap(), Provenance::default());
        let old = r#"{"controller":{"version":"0.1.0"},"worker":{"digest":"abcdef0123456789"},
                      "devices":[{"id":"cpu"}],"host":"here","later":1}"#;
        let read: Provenance = serde_json::from_str(old).unwrap();
        assert_eq!((read.controller.version.as_str(), read.worker.short()), ("0.1.0", "abcdef01"));
        assert_eq!(read.devices[0].model, "");
    }

    #[test]
    fn all_of_it_comes_back_and_reads_as_lines() {
        let provenance = Provenance {
            controller: Program { version: "0.1.0".into(), commit: "0299842aabbc-dirty".into() },
            worker: WorkerBinary {
                digest: "abcdef0123456789".into(),
                about: Some(About {
                    program: Program { version: "0.1.0".into(), commit: "unknown".into() },
                    libtorch: "2.11.0+cu130".into(),
                    cuda: Some("13.0".into()),
                }),
            },
            devices: vec![Device {
                id: DeviceId::Cuda { index: 1, uuid: "GPU-1".into() },
                model: "NVIDIA H100".into(),
                driver: Some("570.86".into()),
            }],
            slots: 2,
            threads: 4,
            max_retries: 1,
            host: "here".into(),
            os: "Debian 13".into(),
            kernel: "Linux 6.1".into(),
            argv: vec!["byol-sweep".into(), "run".into()],
            data: vec![DataSet {
                name: "cifar10".into(),
                train: Some(50_000),
                ..DataSet::default()
            }],
        };
        let json = serde_json::to_string(&provenance).unwrap();
        assert_eq!(serde_json::from_str::<Provenance>(&json).unwrap(), provenance);
        let lines: Vec<String> = provenance
            .facts()
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
