//! Paths inside the state folder's trials, and taking an attempt for oneself.
//!
//! ```text
//! trials/<train key>/lock               held by the living worker
//! trials/<train key>/0001/spec.json     in: the order
//! trials/<train key>/0001/claim         created once: by the worker that runs this attempt, or by
//!                                       the controller that gives it up
//! trials/<train key>/0001/events.jsonl  out, append only
//! trials/<train key>/0001/checkpoint.safetensors   to resume from; gone once nothing needs it
//! trials/<train key>/0001/weights.safetensors, best.safetensors, checkpoint-epoch-0050.safetensors
//! trials/<train key>/0001/exhibit.safetensors   what reports show of it beside numbers
//! trials/<train key>/0001/stdout.log, stderr.log
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::ids::{AttemptNo, TrainKey};

/// A trial's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialFolder(PathBuf);

impl TrialFolder {
    /// Names the folder of `trial` below `state`; creates nothing.
    pub fn new(state: &Path, trial: &TrainKey) -> Self {
        Self(state.join("trials").join(trial.as_str()))
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the lock file.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Returns an attempt's folder; attempts of both kinds share one numbering.
    pub fn attempt(&self, number: AttemptNo) -> AttemptFolder {
        AttemptFolder(self.0.join(format!("{:04}", number.0)))
    }

    /// Returns the highest number that an attempt's folder has here, whoever made it.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn newest(&self) -> io::Result<Option<AttemptNo>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut newest = None;
        for entry in entries {
            let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            newest = newest.max(number.map(AttemptNo));
        }
        Ok(newest)
    }
}

/// An attempt's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFolder(PathBuf);

impl AttemptFolder {
    /// Wraps a path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The order.
    pub fn spec(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    /// The claim.
    pub fn claim(&self) -> PathBuf {
        self.0.join("claim")
    }

    /// The events.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// Everything that a resume needs.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint.safetensors")
    }

    /// The same after an epoch, to be kept.
    pub fn checkpoint_of(&self, epoch: u32) -> PathBuf {
        self.0.join(format!("checkpoint-epoch-{epoch:04}.safetensors"))
    }

    /// Online encoder after the epoch that the probe liked best.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// Online encoder after the last update.
    pub fn weights(&self) -> PathBuf {
        self.0.join("weights.safetensors")
    }

    /// What reports show of the attempt beside its numbers.
    pub fn exhibit(&self) -> PathBuf {
        self.0.join("exhibit.safetensors")
    }

    /// The worker's standard output.
    pub fn stdout(&self) -> PathBuf {
        self.0.join("stdout.log")
    }

    /// The worker's standard error.
    pub fn stderr(&self) -> PathBuf {
        self.0.join("stderr.log")
    }

    /// Takes the attempt: `true` once, for the first caller of all processes.
    pub fn take_claim(&self, who: &str) -> io::Result<bool> {
        match File::options().write(true).create_new(true).open(self.claim()) {
            Ok(mut file) => {
                file.write_all(who.as_bytes())?;
                file.sync_all()?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}
