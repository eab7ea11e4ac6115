//! The worker: an attempt folder in, an exit code out (0 done, 1 failed, 2 usage, 74 no room on the
//! disk for a last word, 75 stopped after a checkpoint).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byol_sweep::failpoint::{self, Point};
use byol_sweep::outcome::{EXIT_DISK_FULL, EXIT_STOPPED, FailureReason};
use byol_sweep::protocol::folder::AttemptFolder;
use byol_sweep::protocol::lock::hold;
use byol_sweep::protocol::process::ProcessId;
use byol_sweep::protocol::{
    BINARY_VARIABLE, End, FORMAT, Started, Work, WorkDevice, WorkOrder, WorkerEvent,
};
use byol_sweep::provenance::{About, Program};
use byol_sweep::spec::sweep::Kernels;
use byol_sweep::train::error::{first_line, panic_message, reason_of_io, reason_of_message};
use byol_sweep::train::sink::Sink;
use byol_sweep::train::{self, StopAt, lineage, native};
use signal_hook::consts::{SIGHUP, SIGPIPE, SIGTERM, SIGUSR1};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const LIBTORCH: &str = env!("BYOL_SWEEP_LIBTORCH");

/// How often to look again while a killed predecessor is torn down, which gives back its memory
/// and device: for 10 s.
const PATIENCE: u32 = 100;

fn main() -> ExitCode {
    native::keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag] if flag == "--version" => version(),
        [flag] if flag == "--about" => about(),
        [flag, attempt, out] if flag == "--features" => {
            features(Path::new(attempt), Path::new(out))
        }
        [folder] if !folder.starts_with('-') => run(Path::new(folder)),
        _ => {
            complain(
                "usage: byol-sweep-worker ATTEMPT_FOLDER | --features ATTEMPT_FOLDER OUT | --version | --about",
            );
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn version() -> ExitCode {
    native::open_libtorch_cuda();
    let cuda = if tch::Cuda::is_available() { "available" } else { "not available" };
    println!("byol-sweep-worker {VERSION}\nlibtorch {LIBTORCH}\ncuda {cuda}");
    ExitCode::SUCCESS
}

/// Says what this binary is, on one line for programs; looks at no device.
#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn about() -> ExitCode {
    let program =
        Program { version: VERSION.to_owned(), commit: env!("BYOL_SWEEP_COMMIT").to_owned() };
    let about = About { program, libtorch: LIBTORCH.to_owned(), cuda: built_with_cuda(LIBTORCH) };
    println!("{}", serde_json::json!(about));
    ExitCode::SUCCESS
}

/// Reads the CUDA version out of libtorch's: `2.11.0+cu130` was built with 13.0.
fn built_with_cuda(libtorch: &str) -> Option<String> {
    let digits = libtorch.split_once("+cu")?.1;
    let (major, minor) = digits.split_at_checked(digits.len().checked_sub(1)?)?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (number(major) && number(minor)).then(|| format!("{major}.{minor}"))
}

#[expect(clippy::print_stderr, reason = "stderr goes to the attempt folder")]
fn complain(message: &str) {
    eprintln!("byol-sweep-worker: {message}");
}

/// Writes the features of the encoder that an attempt trained; leaves the attempt as it is.
fn features(attempt: &Path, out: &Path) -> ExitCode {
    let folder = AttemptFolder::at(attempt);
    let order = match read_order(&folder) {
        Ok(order) => order,
        Err(error) => {
            complain(&format!("{error:#}"));
            return ExitCode::from(2);
        }
    };
    match order.device {
        WorkDevice::Cpu => {}
        WorkDevice::Cuda => native::open_libtorch_cuda(),
    }
    tch::set_num_threads(order.threads as i32);
    match train::arrays::features(&order, &folder.weights(), out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(path: &Path) -> ExitCode {
    let folder = AttemptFolder::at(path);
    let order = match read_order(&folder) {
        Ok(order) => order,
        Err(error) => {
            complain(&format!("{error:#}"));
            return ExitCode::from(2);
        }
    };
    match claimed(&order, &folder) {
        Ok(code) => code,
        Err(error) => {
            complain(&error.to_string());
            if reason_of_io(&error) == FailureReason::DiskFull {
                ExitCode::from(EXIT_DISK_FULL as u8)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn read_order(folder: &AttemptFolder) -> anyhow::Result<WorkOrder> {
    use anyhow::Context;
    let path = folder.spec();
    let at = || format!("cannot read the order {}", path.display());
    let text = std::fs::read_to_string(&path).with_context(at)?;
    let value: serde_json::Value = serde_json::from_str(&text).with_context(at)?;
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    anyhow::ensure!(
        format == Some(u64::from(FORMAT)),
        "{} has format {}; this worker reads format {FORMAT}: use the worker of the same version",
        path.display(),
        format.map_or("none".to_owned(), |f| f.to_string()),
    );
    serde_json::from_value(value).with_context(at)
}

/// Takes the trial's lock and the attempt's claim, then works until the last word is written.
fn claimed(order: &WorkOrder, folder: &AttemptFolder) -> io::Result<ExitCode> {
    let Some(_lock) = hold(&order.lock, PATIENCE)? else {
        complain("another worker holds this trial");
        return Ok(ExitCode::FAILURE);
    };
    failpoint::reach(Point::TrialLocked);
    let me = ProcessId::of(std::process::id())?;
    if !folder.take_claim(&format!("worker {}", me.pid))? {
        complain("this attempt was given up or run before");
        return Ok(ExitCode::FAILURE);
    }
    failpoint::reach(Point::AttemptClaimed);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGUSR1] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    // Whoever started it may be gone, and the terminal with it: that is no reason to stop.
    for signal in [SIGHUP, SIGPIPE] {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    let mut sink = Sink::create(folder)?;
    let end = work(order, folder, me, &mut sink, &|_| stop.load(Ordering::Relaxed))?;
    failpoint::reach(Point::LastWordUnsaid);
    sink.send(WorkerEvent::Ended { end: end.clone() })?;
    failpoint::reach(Point::LastWordSaid);
    sink.sync()?;
    Ok(match end {
        End::Finished { .. } => ExitCode::SUCCESS,
        End::Stopped => ExitCode::from(EXIT_STOPPED as u8),
        End::Failed { detail, .. } => {
            complain(&detail);
            ExitCode::FAILURE
        }
    })
}

fn work(
    order: &WorkOrder,
    folder: &AttemptFolder,
    me: ProcessId,
    sink: &mut Sink,
    stop: StopAt<'_>,
) -> io::Result<End> {
    match order.kernels {
        Kernels::Fastest => {}
        Kernels::Deterministic => native::only_deterministic(),
    }
    tch::set_num_threads(order.threads as i32);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(order.threads as usize).build_global();
    if let Err(error) = pool {
        return Ok(End::Failed { reason: FailureReason::Panicked, detail: error.to_string() });
    }
    let device = match order.device {
        WorkDevice::Cpu => cpu_model(),
        WorkDevice::Cuda => {
            native::open_libtorch_cuda();
            gpu_model()
        }
    };
    let checkpoint = match &order.work {
        Work::Train { resume } => resume.as_deref(),
        Work::Evaluate { .. } => None,
    };
    let started = Started {
        host: host(),
        pid: me.pid,
        start_ticks: me.start_ticks,
        boot_id: me.boot_id,
        pid_namespace: me.pid_namespace,
        version: VERSION.to_owned(),
        binary: std::env::var(BINARY_VARIABLE).ok(),
        libtorch: LIBTORCH.to_owned(),
        device,
        threads: order.threads,
        kernels: order.kernels,
        resumed: checkpoint.is_some(),
    };
    let note = checkpoint.and_then(|path| lineage::note(path, &started, order.device));
    sink.send(WorkerEvent::Started(started))?;
    if let Some(text) = note {
        sink.send(WorkerEvent::Note { text })?;
    }
    // libtorch throws where a tensor operation cannot be done, which `tch` turns into a panic.
    let attempt = catch_unwind(AssertUnwindSafe(|| train::attempt(order, folder, sink, stop)));
    Ok(match attempt {
        Ok(Ok(end)) => end,
        Ok(Err(error)) => failed(folder, error.reason(), error.to_string()),
        Err(panic) => {
            let message = panic_message(panic.as_ref());
            failed(folder, reason_of_message(message), first_line(message))
        }
    })
}

fn failed(folder: &AttemptFolder, reason: FailureReason, detail: String) -> End {
    if reason == FailureReason::DiskFull {
        let detail = format!("the disk of {} is full: {detail}", folder.path().display());
        return End::Failed { reason, detail };
    }
    End::Failed { reason, detail }
}

fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "cpu".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Returns the model of the GPU that the mask leaves visible, where the driver tells.
fn gpu_model() -> String {
    let mask = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let gpus = std::fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten();
    let facts = gpus.filter_map(|gpu| std::fs::read_to_string(gpu.path().join("information")).ok());
    let value = |facts: &str, name: &str| {
        let line = facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    let mut visible = facts.filter(|facts| value(facts, "GPU UUID").is_some_and(|id| id == mask));
    visible.find_map(|facts| value(&facts, "Model")).unwrap_or_else(|| "cuda".to_owned())
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_tells_its_cuda_where_it_has_one() {
        let cases = [
            ("2.11.0+cu130", Some("13.0")),
            ("2.9.0+cu126", Some("12.6")),
            ("2.9.0+cpu", None),
            ("2.9.0", None),
            ("2.9.0+cu", None),
        ];
        for (version, cuda) in cases {
            assert_eq!(built_with_cuda(version).as_deref(), cuda, "{version}");
        }
    }
}
