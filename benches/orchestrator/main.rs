//! What the controller costs beside its workers: time and memory for thousands of trials whose
//! workers do nothing, and processor time while two of them sleep.
//!
//! ```text
//! cargo bench --bench orchestrator               # 1,000 and 10,000 trials
//! cargo bench --bench orchestrator -- 1000       # so many
//! ```
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]

mod noop;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the sleeping workers are watched.
const WATCH: Duration = Duration::from_secs(20);

/// Workers at a time.
const JOBS: usize = 2;

fn main() -> ExitCode {
    if let Some(code) = noop::work() {
        return code;
    }
    // Cargo adds `--bench`.
    let counts: Vec<usize> =
        std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![1_000, 10_000] } else { counts };
    match measure(&counts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn measure(counts: &[usize]) -> anyhow::Result<()> {
    let mut places = vec![(std::env::temp_dir(), "on the disk of temporary files")];
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        places.push((memory, "in memory"));
    }
    for (place, called) in places {
        for &trials in counts {
            let bench = Bench::new(&place, trials)?;
            let alone = bench.spawn_alone()?;
            let Ran { whole, memory, at_a_fifth } = bench.run()?;
            let each = |time: Duration| time.as_secs_f64() * 1000.0 / trials as f64;
            println!(
                "{trials} no-op trials, {JOBS} at a time, state {called}: {:.2} ms a trial, of which {:.2} ms are its process; controller {:.2} ms a trial, at most {:.1} MB ({:.1} MB after a fifth of the time)",
                each(whole),
                each(alone),
                each(whole.saturating_sub(alone)),
                memory as f64 / 1e6,
                at_a_fifth as f64 / 1e6,
            );
            println!(
                "  and once more with nothing to do: {:.0} ms",
                bench.run()?.whole.as_secs_f64() * 1000.0
            );
        }
    }
    println!(
        "controller beside {JOBS} sleeping workers: {:.2} % of a core",
        100.0 * Bench::new(&std::env::temp_dir(), JOBS)?.idle()?
    );
    Ok(())
}

/// What running a sweep took.
struct Ran {
    whole: Duration,
    /// The controller's largest resident memory in bytes.
    memory: u64,
    /// The same in the first fifth of the time: its plan is in memory, few of its trials are done.
    at_a_fifth: u64,
}

/// A sweep in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
    trials: usize,
}

impl Bench {
    fn new(place: &Path, trials: usize) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("orchestrator-").tempdir_in(place)?;
        let seeds: Vec<usize> = (0..trials).collect();
        let sweep = format!(
            "schema = 1\nname = \"noop\"\n[base]\ndata.name = \"shapes\"\nupdate_batch_size = 64\nbatch_size = 64\n[replicates]\nseeds = {seeds:?}\n"
        );
        fs::write(folder.path().join("sweep.toml"), sweep)?;
        let program = std::env::current_exe()?;
        for name in [noop::NOOP, noop::SLEEPER] {
            std::os::unix::fs::symlink(&program, folder.path().join(name))?;
        }
        Ok(Self { folder, trials })
    }

    fn controller(&self, worker: &str) -> anyhow::Result<Child> {
        let folder = self.folder.path();
        Command::new(env!("CARGO_BIN_EXE_byol-sweep"))
            .arg("--quiet")
            .arg("--state-dir")
            .arg(folder.join("state"))
            .arg("--worker")
            .arg(folder.join(worker))
            .args(["run", "--devices", "cpu", "-j", &JOBS.to_string()])
            .arg(folder.join("sweep.toml"))
            .stdin(Stdio::null())
            .spawn()
            .context("the controller starts")
    }

    fn run(&self) -> anyhow::Result<Ran> {
        let begun = Instant::now();
        let mut controller = self.controller(noop::NOOP)?;
        let mut peaks: Vec<(Duration, u64)> = Vec::new();
        let status = loop {
            if let Some(status) = controller.try_wait()? {
                break status;
            }
            peaks.extend(peak_memory(controller.id()).map(|peak| (begun.elapsed(), peak)));
            std::thread::sleep(Duration::from_millis(2));
        };
        ensure!(status.success(), "the sweep ended with {status}");
        let whole = begun.elapsed();
        let peak_until = |time| peaks.iter().rev().find(|(at, _)| *at <= time).map_or(0, |at| at.1);
        Ok(Ran { whole, memory: peak_until(whole), at_a_fifth: peak_until(whole / 5) })
    }

    /// Starts as many workers, as many at a time, and nothing else.
    fn spawn_alone(&self) -> anyhow::Result<Duration> {
        let folder = self.folder.path().join("alone");
        for trial in 0..self.trials {
            fs::create_dir_all(folder.join(format!("{trial}/0001")))?;
        }
        let worker = self.folder.path().join(noop::NOOP);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let shares: Vec<_> = (0..JOBS)
                .map(|first| {
                    let (worker, folder) = (&worker, &folder);
                    scope.spawn(move || -> anyhow::Result<()> {
                        for trial in (first..self.trials).step_by(JOBS) {
                            let attempt = folder.join(format!("{trial}/0001"));
                            let status = Command::new(worker).arg(attempt).status()?;
                            ensure!(status.success(), "a worker ended with {status}");
                        }
                        Ok(())
                    })
                })
                .collect();
            shares.into_iter().try_for_each(|share| share.join().expect("no share panics"))
        })?;
        let took = begun.elapsed();
        fs::remove_dir_all(folder)?;
        Ok(took)
    }

    /// Returns the share of a core that the controller takes beside sleeping workers.
    fn idle(&self) -> anyhow::Result<f64> {
        let mut controller = self.controller(noop::SLEEPER)?;
        while self.ready()? < JOBS {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Past what is done at the start.
        std::thread::sleep(Duration::from_secs(2));
        let (before, begun) = (processor_seconds(controller.id())?, Instant::now());
        std::thread::sleep(WATCH);
        let used = processor_seconds(controller.id())? - before;
        let share = used / begun.elapsed().as_secs_f64();
        kill(Pid::from_raw(controller.id().cast_signed()), Signal::SIGTERM)?;
        controller.wait()?;
        Ok(share)
    }

    fn ready(&self) -> anyhow::Result<usize> {
        let Ok(trials) = fs::read_dir(self.folder.path().join("state/trials")) else {
            return Ok(0);
        };
        let mut ready = 0;
        for trial in trials {
            ready += usize::from(trial?.path().join("0001/events.jsonl").exists());
        }
        Ok(ready)
    }
}

/// Returns the largest resident memory so far in bytes.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Returns the processor time used so far; the kernel counts it in hundredths of a second.
fn processor_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').context("no process")?.1.split_ascii_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(ticks as f64 / 100.0)
}
