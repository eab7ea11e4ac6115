//! A worker that takes milliseconds and misbehaves within the protocol: an order in, events out, a
//! checkpoint after each update, and everything it computes a function of the seed, so that what
//! was killed must come out like what was not.
//!
//! It watches over its trial: each worker writes itself into `workers.log` once it holds the lock,
//! and says there if one that wrote itself in before is still alive.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::failpoint::{self, Point};

/// Name of the program that this is.
pub(crate) const NAME: &str = "fake-worker";

/// File in a trial's folder.
pub(crate) const WORKERS: &str = "workers.log";

/// Begins a line of [`WORKERS`] that must not be there.
pub(crate) const OVERLAP: &str = "OVERLAP";

const UPDATE: Duration = Duration::from_millis(1);

/// Updates of an epoch, as the sweep of the arena has them.
pub(crate) const UPDATES_OF_AN_EPOCH: u64 = 2;

pub(crate) fn work(folder: &Path) -> ExitCode {
    match attempt(folder) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "fake worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What it goes by.
struct Order {
    seed: u64,
    attempt: u64,
    updates: u64,
    resume: Option<PathBuf>,
    lock: PathBuf,
}

impl Order {
    fn read(folder: &Path) -> io::Result<Self> {
        let order: Value = serde_json::from_slice(&fs::read(folder.join("spec.json"))?)?;
        let number = |value: &Value| value.as_u64().ok_or(io::ErrorKind::InvalidData);
        Ok(Self {
            seed: number(&order["run"]["seed"])?,
            attempt: number(&order["attempt"])?,
            updates: number(&order["run"]["epochs"])? * UPDATES_OF_AN_EPOCH,
            resume: order["work"]["resume"].as_str().map(PathBuf::from),
            lock: order["lock"].as_str().map(PathBuf::from).ok_or(io::ErrorKind::InvalidData)?,
        })
    }

    /// Returns whether this attempt has the oddity of that number: a quarter of them has.
    fn is_odd(&self, oddity: u64) -> bool {
        mix(mix(self.seed) ^ mix(self.attempt) ^ oddity).is_multiple_of(4)
    }
}

fn attempt(folder: &Path) -> io::Result<ExitCode> {
    let order = Order::read(folder)?;
    let Some(_lock) = hold(&order.lock)? else {
        return Err(io::Error::other("another worker holds this trial"));
    };
    watch_over(folder)?;
    failpoint::reach(Point::TrialLocked);
    match File::create_new(folder.join("claim")) {
        Ok(mut claim) => write!(claim, "worker {}", std::process::id())?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(io::Error::other("this attempt was given up or run before"));
        }
        Err(error) => return Err(error),
    }
    failpoint::reach(Point::AttemptClaimed);
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop))?;
    let mut events = Events::create(folder)?;
    let stopped = train(&order, folder, &mut events, &stop)?;
    failpoint::reach(Point::LastWordUnsaid);
    let (end, code) = if stopped {
        (json!({"how": "stopped"}), ExitCode::from(75))
    } else {
        (json!({"how": "finished", "verdict": "healthy"}), ExitCode::SUCCESS)
    };
    events.send(json!({"kind": "ended", "end": end}))?;
    failpoint::reach(Point::LastWordSaid);
    if order.is_odd(1) {
        // Does not leave: the controller has to see to it.
        std::thread::sleep(Duration::from_secs(600));
    }
    Ok(code)
}

/// Trains to the end; returns whether it was stopped before.
fn train(order: &Order, folder: &Path, events: &mut Events, stop: &AtomicBool) -> io::Result<bool> {
    let (mut update, mut state) = match &order.resume {
        Some(file) => restore(file)?,
        None => (0, mix(order.seed)),
    };
    events.started(order.resume.is_some())?;
    let deaf = order.is_odd(2);
    while update < order.updates {
        if stop.load(Ordering::Relaxed) && !deaf {
            save(folder, update, state, events)?;
            return Ok(true);
        }
        std::thread::sleep(UPDATE);
        state = mix(state);
        update += 1;
        if update % UPDATES_OF_AN_EPOCH == 0 {
            let values = json!({"loss": unit(state), "lr": unit(mix(update))});
            events.send(json!({"kind": "metrics", "update": update, "values": values}))?;
        }
        save(folder, update, state, events)?;
    }
    let weights = state.to_le_bytes();
    fs::write(folder.join("weights.safetensors"), weights)?;
    let digest = blake3::hash(&weights).to_hex().to_string();
    let file = "weights.safetensors";
    events
        .send(json!({"kind": "artifact", "artifact": "weights", "file": file, "digest": digest}))?;
    let values = json!({"linear_top1": unit(state), "knn_top1": unit(mix(state))});
    events.send(json!({"kind": "evaluated", "values": values}))?;
    Ok(false)
}

fn save(folder: &Path, update: u64, state: u64, events: &mut Events) -> io::Result<()> {
    let (aside, file) = (folder.join("checkpoint.tmp"), "checkpoint.safetensors");
    fs::write(&aside, json!({"update": update, "state": state}).to_string())?;
    failpoint::reach(Point::CheckpointAside);
    fs::rename(&aside, folder.join(file))?;
    failpoint::reach(Point::CheckpointRenamed);
    events.send(json!({"kind": "checkpointed", "update": update, "file": file}))?;
    failpoint::reach(Point::CheckpointTold);
    Ok(())
}

fn restore(file: &Path) -> io::Result<(u64, u64)> {
    let saved: Value = serde_json::from_slice(&fs::read(file)?)?;
    let number = |name: &str| saved[name].as_u64().ok_or(io::ErrorKind::InvalidData);
    Ok((number("update")?, number("state")?))
}

/// The event file.
struct Events {
    file: File,
    seq: u64,
}

impl Events {
    fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join("events.jsonl");
        Ok(Self { file: File::options().append(true).create_new(true).open(path)?, seq: 0 })
    }

    fn started(&mut self, resumed: bool) -> io::Result<()> {
        let (pid, start_ticks) = (std::process::id(), start_ticks(std::process::id())?);
        let boot = match failpoint::pretended("BYOL_SWEEP_BOOT_ID") {
            Some(pretended) => pretended,
            None => fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        };
        self.send(json!({
            "kind": "started", "host": "here", "pid": pid, "start_ticks": start_ticks,
            "boot_id": boot, "version": "0", "libtorch": "0", "device": "cpu", "threads": 1,
            "resumed": resumed,
        }))
    }

    /// Writes a line, now and then in two parts, so that readers meet its half.
    fn send(&mut self, event: Value) -> io::Result<()> {
        self.seq += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let line = json!({"seq": self.seq, "at_ms": now as u64, "event": event}).to_string() + "\n";
        let (first, second) = line.as_bytes().split_at(line.len() / 2);
        if failpoint::is_due(Point::LineHalfWritten) {
            self.file.write_all(first)?;
            failpoint::die();
        }
        if self.seq.is_multiple_of(7) {
            self.file.write_all(first)?;
            std::thread::sleep(Duration::from_micros(300));
            return self.file.write_all(second);
        }
        self.file.write_all(line.as_bytes())
    }
}

/// Takes the trial's lock, for which a predecessor may still have to be torn down.
fn hold(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    for _ in 0..2000 {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Err(std::fs::TryLockError::WouldBlock) => {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    Ok(None)
}

/// Writes itself into the trial's list of workers, and whom of those before it finds alive.
fn watch_over(folder: &Path) -> io::Result<()> {
    let path = folder.parent().unwrap_or(folder).join(WORKERS);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let me = std::process::id();
    let mut text = String::new();
    for line in before.lines().filter(|line| !line.starts_with(OVERLAP)) {
        let mut words = line.split(' ').map(str::parse::<u64>);
        let (Some(Ok(pid)), Some(Ok(ticks))) = (words.next(), words.next()) else { continue };
        let state = crate::processes::state(pid as i32);
        let is_dead = matches!(state, None | Some('Z' | 'X'));
        if !is_dead && start_ticks(pid as u32).is_ok_and(|found| found == ticks) {
            text += &format!("{OVERLAP} {me} found {line} alive, in state {state:?}\n");
        }
    }
    text += &format!("{me} {} {}\n", start_ticks(me)?, folder.display());
    File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

fn start_ticks(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit_once(')').ok_or(io::ErrorKind::InvalidData)?.1;
    let ticks = rest.split_ascii_whitespace().nth(19).ok_or(io::ErrorKind::InvalidData)?;
    ticks.parse().map_err(io::Error::other)
}

/// The step of SplitMix64.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns a number in [0, 1) that JSON carries exactly.
fn unit(state: u64) -> f64 {
    (state >> 11) as f64 / (1u64 << 53) as f64
}
