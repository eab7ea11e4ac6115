//! Where things lie: the state folder, the data folder, the worker.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::Global;
use crate::ui::Ui;
use crate::volume::{self, Volume};

/// Name of the worker's binary.
const WORKER: &str = "byol-sweep-worker";

/// Where things lie.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Database, attempts, lock.
    pub state: PathBuf,
    /// Data sets.
    pub data: PathBuf,
    worker: Option<PathBuf>,
}

impl Places {
    /// Resolves what was typed; creates nothing.
    pub(super) fn of(global: &Global) -> anyhow::Result<Self> {
        let data = match &global.data_dir {
            Some(folder) => folder.clone(),
            None => directories::ProjectDirs::from("", "", "byol-sweep")
                .context("there is no home folder for data sets: name one with --data-dir")?
                .cache_dir()
                .join("data"),
        };
        Ok(Self { state: global.state_dir.clone(), data, worker: global.worker.clone() })
    }

    /// Says where the state folder lies, if that asks for care.
    pub(super) fn warn_of_shared_state(&self, ui: &mut Ui) {
        let Ok(volume) = Volume::of(&self.state) else { return };
        if let Some(text) = volume::warning(&self.state, volume.fitness) {
            ui.note(&text);
        }
    }

    /// Returns the worker: the one that was named, else the one beside this program.
    pub(super) fn worker(&self) -> anyhow::Result<PathBuf> {
        let path = match &self.worker {
            Some(path) => path.clone(),
            None => {
                beside(&std::env::current_exe().context("cannot tell where this program lies")?)
            }
        };
        anyhow::ensure!(
            path.is_file(),
            "there is no worker at {}: build it with `cargo build --release`, or name one with --worker",
            path.display()
        );
        Ok(path)
    }
}

fn beside(program: &Path) -> PathBuf {
    program.with_file_name(WORKER)
}
