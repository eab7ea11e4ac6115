//! An executor without processes, for tests: every launch plays the next part of a script.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::watch::GpuView;
use super::{ExecError, Executor, Force, JobHandle, JobStatus, LaunchOrder, Resident};
use crate::outcome::Exit;
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{EventLine, WorkerEvent};

/// What one launch does.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Writes these events and is gone.
    Ends(Vec<WorkerEvent>, Exit),
    /// Writes the first events and lives; once stopped, writes the others and is gone.
    Waits(Vec<WorkerEvent>, Vec<WorkerEvent>, Exit),
    /// Does not start.
    Refuses,
}

#[derive(Debug)]
struct Job {
    folder: AttemptFolder,
    status: JobStatus,
    last_words: Vec<WorkerEvent>,
    exit: Exit,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ScriptedExecutor {
    parts: Mutex<VecDeque<Part>>,
    jobs: Mutex<HashMap<u32, Job>>,
    /// `launch`, `soft`, `hard`, in order.
    calls: Mutex<Vec<&'static str>>,
    /// Folders of attempts that were cleared after.
    cleared: Mutex<Vec<PathBuf>>,
    /// What is on the GPUs, by the number of live attempts.
    gpus: Gpus,
}

/// Shows the GPUs.
pub(crate) type Gpus = fn(usize) -> Vec<GpuView>;

impl ScriptedExecutor {
    pub(crate) fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self {
            parts: Mutex::new(parts.into_iter().collect()),
            jobs: Mutex::default(),
            calls: Mutex::default(),
            cleared: Mutex::default(),
            gpus: |_| Vec::new(),
        }
    }

    pub(crate) fn with_gpus(self, gpus: Gpus) -> Self {
        Self { gpus, ..self }
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn cleared(&self) -> Vec<PathBuf> {
        self.cleared.lock().unwrap().clone()
    }
}

impl Executor for ScriptedExecutor {
    async fn launch(&self, order: &LaunchOrder) -> Result<JobHandle, ExecError> {
        self.calls.lock().unwrap().push("launch");
        let folder = AttemptFolder::at(&order.folder);
        assert!(folder.spec().is_file(), "the order comes before the launch");
        let part = self.parts.lock().unwrap().pop_front().expect("the script has another part");
        let job = match part {
            Part::Ends(events, exit) => {
                write_events(&folder.events(), &events);
                Job { folder, status: JobStatus::Gone(exit), last_words: Vec::new(), exit }
            }
            Part::Waits(events, last_words, exit) => {
                write_events(&folder.events(), &events);
                Job { folder, status: JobStatus::Alive, last_words, exit }
            }
            Part::Refuses => return Err(ExecError::NoWorker { path: order.folder.clone() }),
        };
        let mut jobs = self.jobs.lock().unwrap();
        let pid = u32::try_from(jobs.len()).unwrap() + 1;
        jobs.insert(pid, job);
        Ok(JobHandle { pid, start_ticks: 0, boot_id: "scripted".into(), pid_namespace: None })
    }

    async fn look(&self, handles: &[JobHandle]) -> Result<Vec<JobStatus>, ExecError> {
        let jobs = self.jobs.lock().unwrap();
        let status = |handle: &JobHandle| {
            jobs.get(&handle.pid).map_or(JobStatus::Gone(Exit::Unseen), |job| job.status)
        };
        Ok(handles.iter().map(status).collect())
    }

    async fn stop(&self, handle: &JobHandle, force: Force) -> Result<(), ExecError> {
        self.calls.lock().unwrap().push(match force {
            Force::Soft => "soft",
            Force::Hard => "hard",
        });
        let mut jobs = self.jobs.lock().unwrap();
        let job = jobs.get_mut(&handle.pid).expect("only what was launched is stopped");
        let exit = match force {
            Force::Soft => job.exit,
            Force::Hard => Exit::Signal(9),
        };
        if job.status == JobStatus::Alive {
            write_events(&job.folder.events(), &job.last_words);
            job.status = JobStatus::Gone(exit);
        }
        Ok(())
    }

    async fn clear(&self, folder: &Path, _: Option<&JobHandle>) -> Result<(), ExecError> {
        self.cleared.lock().unwrap().push(folder.to_owned());
        Ok(())
    }

    async fn gpus(&self, live: &[Resident<'_>]) -> Option<Vec<GpuView>> {
        Some((self.gpus)(live.len()))
    }

    async fn changed(&self) {
        tokio::task::yield_now().await;
    }
}

/// Appends events as a worker does, with the next numbers, a millisecond each, and makes the files
/// that they name.
pub(crate) fn write_events(path: &Path, events: &[WorkerEvent]) {
    let written = std::fs::read_to_string(path).unwrap_or_default().lines().count() as u64;
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    for (seq, event) in (written + 1..).zip(events) {
        if let WorkerEvent::Checkpointed { file, .. } | WorkerEvent::Artifact { file, .. } = event {
            File::create(path.with_file_name(file)).unwrap();
        }
        let line = EventLine { seq, at_ms: seq.cast_signed(), event: event.clone() };
        writeln!(file, "{}", serde_json::to_string(&line).unwrap()).unwrap();
    }
}
