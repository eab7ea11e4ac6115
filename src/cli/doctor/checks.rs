//! The checks, each looking at one thing.

use std::path::Path;
use std::process::Command;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::super::places::Places;
use super::{Check, Health};
use crate::ui::words;
use crate::volume::{Fitness, Volume, nearest_existing};

/// Free space below which a sweep soon stands still.
const LITTLE_SPACE: u64 = 5_000_000_000;

/// Returns what all checks found, in the order in which people read them.
pub(super) fn all(places: &Places) -> Vec<Check> {
    let mut checks = vec![version(), worker(places), cores(), gpus()];
    checks.extend(folder("state folder", &places.state));
    checks.extend(folder("data folder", &places.data));
    checks
}

fn version() -> Check {
    good("version", env!("CARGO_PKG_VERSION").to_owned())
}

fn worker(places: &Places) -> Check {
    let path = match places.worker() {
        Ok(path) => path,
        Err(error) => return bad("worker", error.to_string()),
    };
    let file = path.display();
    match Command::new(&path).arg("--version").output() {
        Err(error) => bad("worker", format!("{file} does not start: {error}")),
        Ok(output) if !output.status.success() => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let first = stderr.lines().next().unwrap_or("it said nothing");
            bad("worker", format!("{file} ended with {}: {first}", output.status))
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let said = said.lines().map(str::trim).collect::<Vec<_>>().join(", ");
            good("worker", format!("{file}: {said}"))
        }
    }
}

fn cores() -> Check {
    match std::thread::available_parallelism() {
        Ok(cores) => good("cores", cores.to_string()),
        Err(error) => warning("cores", format!("cannot count them: {error}")),
    }
}

fn gpus() -> Check {
    match gpu_names() {
        Ok(names) if names.is_empty() => good("GPUs", "none; trials run on the CPU".to_owned()),
        Ok(names) => good("GPUs", names.join("; ")),
        Err(NvmlError::LibloadingError(_) | NvmlError::DriverNotLoaded) => {
            good("GPUs", "no NVIDIA driver; trials run on the CPU".to_owned())
        }
        Err(error) => warning("GPUs", format!("the NVIDIA driver does not answer: {error}")),
    }
}

fn gpu_names() -> Result<Vec<String>, NvmlError> {
    let nvml = Nvml::init()?;
    let driver = nvml.sys_driver_version()?;
    let describe = |index| {
        let device = nvml.device_by_index(index)?;
        let memory = words::bytes(device.memory_info()?.free);
        Ok(format!("cuda:{index} {}, {memory} free, driver {driver}", device.name()?))
    };
    (0..nvml.device_count()?).map(describe).collect()
}

fn folder(what: &'static str, path: &Path) -> Vec<Check> {
    let shown = path.display();
    let standing = nearest_existing(path);
    let writable = match tempfile::tempfile_in(&standing) {
        Ok(_) if path.is_dir() => good(what, format!("{shown}, writable")),
        Ok(_) => good(what, format!("{shown}, made when needed")),
        Err(error) => bad(what, format!("cannot write to {}: {error}", standing.display())),
    };
    vec![writable, file_system(what, &standing)]
}

fn file_system(what: &'static str, path: &Path) -> Check {
    let volume = match Volume::of(path) {
        Ok(volume) => volume,
        Err(error) => return warning(what, format!("cannot tell the file system: {error}")),
    };
    let free = words::bytes(volume.free);
    match volume.fitness {
        Fitness::Unfit(kind) | Fitness::Shared(kind) => {
            let advice = "locks and SQLite are not safe there; use a local disk";
            warning(what, format!("{free} free, on {kind}: {advice}"))
        }
        Fitness::Local if volume.free < LITTLE_SPACE => warning(what, format!("only {free} free")),
        Fitness::Local => good(what, format!("{free} free")),
    }
}

fn good(what: &'static str, found: String) -> Check {
    Check { what, health: Health::Good, found }
}

fn warning(what: &'static str, found: String) -> Check {
    Check { what, health: Health::Warning, found }
}

fn bad(what: &'static str, found: String) -> Check {
    Check { what, health: Health::Bad, found }
}
