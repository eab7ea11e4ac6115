//! A state folder with its sweep, and the controllers that are started on it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failpoint::Point;
use crate::fake;

/// Far more than a sweep takes here, on a machine that is busy with other things.
pub(crate) const BOUND: Duration = Duration::from_secs(240);

/// Who trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A worker that takes milliseconds.
    Fake,
    /// The real one.
    Real,
}

/// What ends an attempt that hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Nothing in time.
    None,
    /// `resources.time_limit`.
    Time(&'static str),
    /// `resources.stall_limit`.
    Silence(&'static str),
}

impl Limit {
    fn toml(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Time(limit) => format!("[resources]\ntime_limit = \"{limit}\"\n"),
            Self::Silence(limit) => format!("[resources]\nstall_limit = \"{limit}\"\n"),
        }
    }
}

/// What a sweep is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) trials: usize,
    pub(crate) epochs: usize,
    pub(crate) jobs: usize,
    pub(crate) limit: Limit,
}

impl Shape {
    /// Returns the sweep file.
    pub(crate) fn toml(&self) -> String {
        let seeds: Vec<usize> = (0..self.trials).collect();
        format!(
            r#"schema = 1
name = "chaos"
[base]
data.name = "shapes"
data.shapes.train = 64
data.shapes.test = 40
encoder.name = "convnet"
encoder.width = 0.125
projector.hidden = 16
projector.out = 8
epochs = {epochs}
update_batch_size = 32
batch_size = 32
optimizer.base_lr = 0.2
augment.preset = "byol_small"
[replicates]
seeds = {seeds:?}
[eval]
linear = {{ epochs = 2, batch_size = 32, learning_rates = [0.1] }}
knn = {{ k = 5, temperature = 0.1 }}
[checkpoint]
every = "1ms"
[retry]
max = 100
{limit}"#,
            epochs = self.epochs,
            limit = self.limit.toml(),
        )
    }
}

/// See the module.
pub(crate) struct Arena {
    folder: tempfile::TempDir,
    pub(crate) shape: Shape,
    worker: PathBuf,
    boot: u32,
}

impl Arena {
    pub(crate) fn new(shape: Shape, real: Option<&Path>) -> Self {
        let folder = tempfile::Builder::new().prefix("chaos-").tempdir().unwrap();
        fs::write(folder.path().join("sweep.toml"), shape.toml()).unwrap();
        fs::create_dir(folder.path().join("marks")).unwrap();
        let worker = match shape.kind {
            Kind::Fake => {
                let link = folder.path().join(fake::NAME);
                std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &link).unwrap();
                link
            }
            Kind::Real => real.expect("there is a worker").to_owned(),
        };
        Self { folder, shape, worker, boot: 0 }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Keeps the folder for a look at it.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }

    /// From now on controllers and workers believe in another boot.
    pub(crate) fn reboot(&mut self) {
        self.boot += 1;
    }

    /// Returns the points that have killed somebody so far.
    pub(crate) fn marks(&self) -> Vec<Point> {
        let is_there = |point: &Point| self.path().join("marks").join(point.as_str()).exists();
        Point::ALL.into_iter().filter(is_there).collect()
    }

    /// Lets the points kill again.
    pub(crate) fn clear_marks(&self) {
        for point in self.marks() {
            fs::remove_file(self.path().join("marks").join(point.as_str())).unwrap();
        }
    }

    /// Returns the command of a verb in this folder, with nothing inherited that matters.
    pub(crate) fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(
            std::env::var_os("BYOL_SWEEP_CHAOS_CONTROLLER")
                .unwrap_or_else(|| env!("CARGO_BIN_EXE_byol-sweep").into()),
        );
        command
            .arg("--state-dir")
            .arg(self.state())
            .arg("--worker")
            .arg(&self.worker)
            .args(verb)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BYOL_SWEEP_TICK_MS", "20")
            .env("BYOL_SWEEP_BACKOFF_MS", "1")
            .env("BYOL_SWEEP_GRACE_MS", "100")
            .env("BYOL_SWEEP_BOOT_ID", format!("boot {}", self.boot))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts a controller that dies at these points and whose clock is wrong by so many hours.
    pub(crate) fn start(&self, points: &[(Point, u64)], hours: i64) -> Controller {
        let jobs = self.shape.jobs.to_string();
        let armed: Vec<String> =
            points.iter().map(|(point, times)| format!("{}@{times}", point.as_str())).collect();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path().join("controller.log"))
            .unwrap();
        let mut command = self.command(&["run", "sweep.toml", "--devices", "cpu", "-j", &jobs]);
        command
            .env("BYOL_SWEEP_FAILPOINT", armed.join(","))
            .env("BYOL_SWEEP_FAILPOINT_MARKS", self.path().join("marks"))
            .env("BYOL_SWEEP_WALL_SHIFT_MS", (hours * 3_600_000).to_string())
            .stderr(log);
        Controller(command.spawn().unwrap())
    }

    /// Returns whether this process holds the state folder. To try the lock would keep a controller
    /// from it that comes at the same moment; the kernel's list disturbs nobody.
    pub(crate) fn is_locked_by(&self, pid: i32) -> bool {
        let Ok(file) = fs::metadata(self.state().join("lock")) else { return false };
        let (pid, inode) = (pid.to_string(), format!(":{}", file.ino()));
        // `1: FLOCK ADVISORY WRITE 4711 fe:00:123 0 EOF`
        let is_it = |line: &str| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            matches!(fields[..], [_, _, _, "WRITE", holder, place, ..]
                if holder == pid && place.ends_with(&inode))
        };
        fs::read_to_string("/proc/locks").unwrap().lines().any(is_it)
    }
}

/// A running controller.
pub(crate) struct Controller(Child);

impl Controller {
    pub(crate) fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// Returns how it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Waits for its end that long at most.
    pub(crate) fn wait(&mut self, most: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if begun.elapsed() >= most {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it, if it lives; returns whether it did.
    pub(crate) fn kill(&mut self) -> bool {
        let lived = self.ended().is_none() && self.0.kill().is_ok();
        self.0.wait().unwrap();
        lived
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.kill();
    }
}
