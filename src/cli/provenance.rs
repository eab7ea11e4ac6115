//! What a `run` is made with, found out on this machine. What cannot be told is left out; only a
//! worker that cannot be run at all stops a run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use anyhow::bail;

use crate::exec::about::Answer;
use crate::exec::{about, nvml};
use crate::ids::{DeviceId, Slot};
use crate::plan::Plan;
use crate::provenance::{DataSet, Device, Program, Provenance, WorkerBinary};
use crate::store::Store;
use crate::ui::Ui;

/// This program.
pub(super) fn controller() -> Program {
    Program {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("BYOL_SWEEP_COMMIT").to_owned(),
    }
}

/// Gathers all of it; asks the worker, unless this state folder has its answer already.
pub(super) async fn gather(
    store: &Store,
    worker: &Path,
    plan: &Plan,
    slots: &[Slot],
    data: Vec<DataSet>,
    now_ms: i64,
) -> anyhow::Result<Provenance> {
    Ok(Provenance {
        controller: controller(),
        worker: binary(store, worker, now_ms).await?,
        devices: devices(slots),
        slots: u32::try_from(slots.len()).unwrap_or(u32::MAX),
        threads: slots.first().map_or(0, |slot| slot.threads),
        max_retries: plan.meta.max_retries,
        host: kernel_fact("hostname"),
        os: os(),
        kernel: format!("{} {}", kernel_fact("ostype"), kernel_fact("osrelease")),
        argv: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        data,
    })
}

async fn binary(store: &Store, path: &Path, now_ms: i64) -> anyhow::Result<WorkerBinary> {
    let digest = digest(path)?;
    let about = match store.about(&digest).await? {
        Some(known) => known,
        None => {
            let answer = match about::ask(path, about::PATIENCE).await {
                Ok(Answer::About(about)) => Some(about),
                // What cannot be started is said by the first attempt, with its reason.
                Ok(Answer::Nothing) | Err(_) => None,
                // Every trial would fail at once.
                Ok(Answer::CannotRun(words)) => {
                    bail!(
                        "the worker {} cannot be run: {words}; `byol-sweep doctor` looks at it",
                        path.display()
                    )
                }
            };
            store.note_about(&digest, answer.as_ref(), now_ms).await?;
            answer
        }
    };
    Ok(WorkerBinary { digest, about })
}

/// Returns BLAKE3 of a file.
fn digest(path: &Path) -> anyhow::Result<String> {
    use anyhow::Context;
    let read = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok::<_, std::io::Error>(hasher.finalize().to_hex().to_string())
    };
    read().with_context(|| format!("cannot read the worker {}", path.display()))
}

fn devices(slots: &[Slot]) -> Vec<Device> {
    let used: BTreeMap<&DeviceId, ()> = slots.iter().map(|slot| (&slot.device, ())).collect();
    let driver = used.keys().any(|id| **id != DeviceId::Cpu).then(nvml::driver_version).flatten();
    let device = |id: &DeviceId| Device {
        id: id.clone(),
        model: model(id),
        driver: match id {
            DeviceId::Cpu => None,
            DeviceId::Cuda { .. } => driver.clone(),
        },
    };
    used.into_keys().map(device).collect()
}

/// Returns the model of a device of this machine, as workers call it.
pub(super) fn model(id: &DeviceId) -> String {
    match id {
        DeviceId::Cpu => cpu_model(),
        DeviceId::Cuda { uuid, .. } => {
            let gpus = nvml::visible_gpus();
            gpus.into_iter().find(|gpu| gpu.uuid == *uuid).map(|gpu| gpu.name).unwrap_or_default()
        }
    }
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "cpu".to_owned(), |(_, name)| name.trim().to_owned())
}

fn kernel_fact(name: &str) -> String {
    fs::read_to_string(Path::new("/proc/sys/kernel").join(name))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn os() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default().trim_matches('"').to_owned()
}

/// Says where trials of this sweep were finished by another worker binary than the one in use.
pub(super) async fn note_other_workers(
    store: &Store,
    plan: &Plan,
    now: &WorkerBinary,
    ui: &mut Ui,
) -> anyhow::Result<()> {
    let keys: Vec<_> = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
    for used in store.workers_of(&keys).await? {
        if used.worker.digest != now.digest {
            ui.note(&other_worker(&used.worker, used.trials, now));
        }
    }
    Ok(())
}

fn other_worker(then: &WorkerBinary, trials: u32, now: &WorkerBinary) -> String {
    format!(
        "the worker is another one than before: {} of this sweep {} finished by {}, what follows is by {}; \
         results of different workers are comparable only where nothing that trains changed",
        crate::ui::words::plural(trials as usize, "trial"),
        if trials == 1 { "was" } else { "were" },
        then.words(),
        now.words()
    )
}
