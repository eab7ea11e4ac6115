//! Which devices a run uses and how many attempts each takes. Pure: the GPUs and the cores of the
//! machine are handed in.

use std::num::NonZeroU32;
use std::str::FromStr;

use super::nvml::Gpu;
use crate::ids::{DeviceId, Slot};

/// What `--devices` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// All visible GPUs, or the CPU where there are none.
    #[default]
    Auto,
    /// The host's cores.
    Cpu,
    /// All visible GPUs.
    AllCuda,
    /// The GPUs with these indices.
    Cuda(Vec<u32>),
}

/// A choice of devices that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum DeviceError {
    /// The text is no choice.
    #[error("`{0}` is not a choice of devices; it is `auto`, `cpu`, `cuda` or `cuda:0,1`")]
    Syntax(String),
    /// There is no GPU at all.
    #[error(
        "no GPU is visible here; use `--devices cpu`, or check the driver with `nvidia-smi` and \
         the mask CUDA_VISIBLE_DEVICES"
    )]
    NoGpu,
    /// A GPU is not there.
    #[error("there is no `cuda:{index}` here; there is {present}")]
    Absent { index: u32, present: String },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let syntax = || DeviceError::Syntax(text.to_owned());
        match text {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "cuda" => return Ok(Self::AllCuda),
            _ => {}
        }
        let list = text.strip_prefix("cuda:").ok_or_else(syntax)?;
        let mut indices = Vec::new();
        for part in list.split(',') {
            // `cuda:0,cuda:1` is what many would try first.
            let part = part.strip_prefix("cuda:").unwrap_or(part);
            let index = part.parse().map_err(|_| syntax())?;
            if !indices.contains(&index) {
                indices.push(index);
            }
        }
        Ok(Self::Cuda(indices))
    }
}

/// Returns the chosen devices.
///
/// # Errors
///
/// A chosen GPU is not among `gpus`.
pub fn choose(choice: &DeviceChoice, gpus: &[Gpu]) -> Result<Vec<DeviceId>, DeviceError> {
    let all = || gpus.iter().map(device).collect::<Vec<_>>();
    match choice {
        DeviceChoice::Cpu => Ok(vec![DeviceId::Cpu]),
        DeviceChoice::Auto if gpus.is_empty() => Ok(vec![DeviceId::Cpu]),
        DeviceChoice::Auto => Ok(all()),
        DeviceChoice::AllCuda | DeviceChoice::Cuda(_) if gpus.is_empty() => Err(DeviceError::NoGpu),
        DeviceChoice::AllCuda => Ok(all()),
        DeviceChoice::Cuda(indices) => indices
            .iter()
            .map(|&index| {
                gpus.iter()
                    .find(|gpu| gpu.index == index)
                    .map(device)
                    .ok_or_else(|| DeviceError::Absent { index, present: present(gpus) })
            })
            .collect(),
    }
}

/// Lays out the slots: on the CPU `jobs`, or else one for each core; on each GPU `per_gpu`, of
/// which no more than `jobs` in all are used. The cores are shared out evenly, and every slot has
/// one at least.
pub fn slots(
    devices: &[DeviceId],
    per_gpu: NonZeroU32,
    jobs: Option<NonZeroU32>,
    cores: NonZeroU32,
) -> Vec<Slot> {
    let on = |device: &DeviceId| match device {
        DeviceId::Cpu => jobs.unwrap_or(cores).get(),
        DeviceId::Cuda { .. } => per_gpu.get(),
    };
    let most = devices.iter().map(on).max().unwrap_or(0);
    // One on each device first, so that a small `jobs` still uses all of them.
    let mut slots: Vec<Slot> = (0..most)
        .flat_map(|ordinal| {
            let has_room = move |device: &&DeviceId| ordinal < on(device);
            devices.iter().filter(has_room).map(move |device| Slot {
                device: device.clone(),
                ordinal,
                threads: 1,
            })
        })
        .collect();
    if let Some(jobs) = jobs {
        slots.truncate(jobs.get() as usize);
    }
    let threads = (cores.get() as usize / slots.len().max(1)).max(1);
    for slot in &mut slots {
        slot.threads = u32::try_from(threads).unwrap_or(u32::MAX);
    }
    slots
}

/// Returns the cores that this process may use.
pub fn cores() -> NonZeroU32 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|cores| NonZeroU32::try_from(cores).ok())
        .unwrap_or(NonZeroU32::MIN)
}

fn device(gpu: &Gpu) -> DeviceId {
    DeviceId::Cuda { index: gpu.index, uuid: gpu.uuid.clone() }
}

fn present(gpus: &[Gpu]) -> String {
    let names: Vec<_> =
        gpus.iter().map(|gpu| format!("cuda:{} ({})", gpu.index, gpu.name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(index: u32) -> Gpu {
        Gpu { index, uuid: format!("GPU-{index}"), name: "H100".into(), memory_bytes: 0 }
    }

    fn number(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn choices_are_parsed() {
        let cases = [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::AllCuda),
            ("cuda:1", DeviceChoice::Cuda(vec![1])),
            ("cuda:1,0,1", DeviceChoice::Cuda(vec![1, 0])),
            ("cuda:0,cuda:2", DeviceChoice::Cuda(vec![0, 2])),
        ];
        for (text, choice) in cases {
            assert_eq!(text.parse(), Ok(choice), "{text}");
        }
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:0,", "CPU"] {
            assert_eq!(text.parse::<DeviceChoice>(), Err(DeviceError::Syntax(text.into())));
        }
    }

    #[test]
    fn auto_prefers_gpus_and_makes_do_with_the_cpu() {
        assert_eq!(choose(&DeviceChoice::Auto, &[]), Ok(vec![DeviceId::Cpu]));
        assert_eq!(choose(&DeviceChoice::Auto, &[gpu(0)]), Ok(vec![device(&gpu(0))]));
    }

    #[test]
    fn an_absent_gpu_is_an_error_that_names_those_present() {
        let error = choose(&DeviceChoice::Cuda(vec![0, 7]), &[gpu(0), gpu(1)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no `cuda:7` here; there is cuda:0 (H100), cuda:1 (H100)"
        );
        assert_eq!(choose(&DeviceChoice::AllCuda, &[]), Err(DeviceError::NoGpu));
        assert_eq!(choose(&DeviceChoice::Cuda(vec![0]), &[]), Err(DeviceError::NoGpu));
    }

    #[test]
    fn slots_share_out_the_cores() {
        let gpus = [device(&gpu(0)), device(&gpu(1))];
        let layout = |devices: &[DeviceId], per_gpu, jobs: Option<u32>, cores| {
            slots(devices, number(per_gpu), jobs.map(number), number(cores))
                .iter()
                .map(|slot| format!("{}/{} {}", slot.device, slot.ordinal, slot.threads))
                .collect::<Vec<_>>()
        };
        assert_eq!(layout(&[DeviceId::Cpu], 1, None, 2), ["cpu/0 1", "cpu/1 1"]);
        assert_eq!(layout(&[DeviceId::Cpu], 1, Some(2), 8), ["cpu/0 4", "cpu/1 4"]);
        assert_eq!(layout(&[DeviceId::Cpu], 1, Some(1), 8), ["cpu/0 8"]);
        assert_eq!(layout(&[DeviceId::Cpu], 1, Some(3), 2).len(), 3, "more than cores on request");
        assert_eq!(layout(&gpus, 1, None, 16), ["cuda:0/0 8", "cuda:1/0 8"]);
        assert_eq!(layout(&gpus, 2, Some(3), 9), ["cuda:0/0 3", "cuda:1/0 3", "cuda:0/1 3"]);
        assert_eq!(layout(&gpus, 4, None, 2)[0], "cuda:0/0 1");
    }
}
