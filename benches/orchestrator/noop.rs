//! Workers that do nothing: one ends at once, the other when it is asked to. They link nothing of
//! the product, and keep to its protocol: lock, claim, events.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Names that the program goes by.
pub(crate) const NOOP: &str = "noop-worker";
/// See [`NOOP`].
pub(crate) const SLEEPER: &str = "sleeping-worker";

const FINISHED: &str = r#"{"seq":1,"at_ms":1,"event":{"kind":"metrics","update":1,"values":{"loss":1.0}}}
{"seq":2,"at_ms":2,"event":{"kind":"evaluated","values":{"linear_top1":0.5}}}
{"seq":3,"at_ms":3,"event":{"kind":"ended","end":{"how":"finished","verdict":"healthy"}}}
"#;
const READY: &str = r#"{"seq":1,"at_ms":1,"event":{"kind":"note","text":"ready"}}
"#;
const STOPPED: &str = r#"{"seq":2,"at_ms":2,"event":{"kind":"ended","end":{"how":"stopped"}}}
"#;

/// Works as the program's name says; `None` where it is not a worker's.
pub(crate) fn work() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    let [program, folder] = arguments.as_slice() else { return None };
    let done = if program.ends_with(NOOP) {
        finish(folder.as_ref())
    } else if program.ends_with(SLEEPER) {
        sleep(folder.as_ref())
    } else {
        return None;
    };
    Some(done.unwrap_or(ExitCode::FAILURE))
}

fn finish(folder: &Path) -> io::Result<ExitCode> {
    let _lock = begin(folder)?;
    fs::write(folder.join("events.jsonl"), FINISHED)?;
    Ok(ExitCode::SUCCESS)
}

fn sleep(folder: &Path) -> io::Result<ExitCode> {
    let _lock = begin(folder)?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop))?;
    let mut events = File::create_new(folder.join("events.jsonl"))?;
    events.write_all(READY.as_bytes())?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
    }
    events.write_all(STOPPED.as_bytes())?;
    Ok(ExitCode::from(75))
}

fn begin(folder: &Path) -> io::Result<File> {
    let lock = File::options().create(true).append(true).open(folder.with_file_name("lock"))?;
    lock.lock()?;
    write!(File::create_new(folder.join("claim"))?, "worker {}", std::process::id())?;
    Ok(lock)
}
