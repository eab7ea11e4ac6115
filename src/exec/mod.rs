//! Starting, finding and stopping worker processes. Knows nothing of deadlines, retries, logs or
//! metrics: those belong to the scheduler and to the attempt folder.

pub mod about;
pub mod appetite;
mod binary;
pub mod devices;
mod kin;
pub mod local;
pub mod logs;
mod mark;
pub mod meters;
pub mod nvml;
mod remains;
#[cfg(test)]
pub(crate) mod scripted;
mod session;
mod tenants;
pub mod watch;

use std::io;
use std::path::{Path, PathBuf};

use crate::ids::DeviceId;
use crate::outcome::Exit;
use crate::protocol::process::ProcessId;
use watch::GpuView;

/// Runs workers somewhere.
#[expect(async_fn_in_trait, reason = "the loop awaits them on its own task and needs no `Send`")]
pub trait Executor {
    /// Starts a worker on an attempt folder that holds its order.
    ///
    /// # Errors
    ///
    /// The worker was not started; none will appear later.
    async fn launch(&self, order: &LaunchOrder) -> Result<JobHandle, ExecError>;

    /// Tells which workers are alive, in the order asked. What a worker wrote before it was seen
    /// gone is readable.
    ///
    /// # Errors
    ///
    /// Nothing can be said of any of them now.
    async fn look(&self, handles: &[JobHandle]) -> Result<Vec<JobStatus>, ExecError>;

    /// Asks a worker to stop, or kills it with everything that it started. One that is gone is
    /// stopped.
    ///
    /// # Errors
    ///
    /// The system refused.
    async fn stop(&self, handle: &JobHandle, force: Force) -> Result<(), ExecError>;

    /// Kills what a worker that is gone left behind, and forgets the worker: to be called once,
    /// before anybody else gets its device. Without a handle only `folder`, the attempt's, tells.
    ///
    /// # Errors
    ///
    /// The system refused; something may be left.
    async fn clear(&self, folder: &Path, handle: Option<&JobHandle>) -> Result<(), ExecError>;

    /// Returns the GPUs as they are now, told what lives on them; `None` where nobody watches them.
    async fn gpus(&self, live: &[Resident<'_>]) -> Option<Vec<GpuView>>;

    /// Returns once it is worth looking again. A hint only: it may come early, late or never.
    async fn changed(&self);
}

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchOrder {
    /// The attempt folder, absolute.
    pub folder: PathBuf,
    /// The only device that the worker sees.
    pub device: DeviceId,
    /// Threads of its numerical libraries.
    pub threads: u32,
}

/// How a worker is found again, also by a later controller. Its pid is also the id of its session.
pub type JobHandle = ProcessId;

/// A worker that is alive, and the folder of its attempt.
#[derive(Clone, Copy, Debug)]
pub struct Resident<'a> {
    /// The worker.
    pub handle: &'a JobHandle,
    /// The attempt's folder.
    pub folder: &'a Path,
}

/// Whether a worker is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It is.
    Alive,
    /// It is gone.
    Gone(Exit),
}

/// How to stop a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Ask it to write a checkpoint and leave.
    Soft,
    /// Kill it and all that it started.
    Hard,
}

/// Why an executor could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ExecError {
    /// The worker's program is missing.
    #[error(
        "there is no worker program at `{}`; build it with `cargo build --release`, or name \
         another with --worker or BYOL_SWEEP_WORKER", path.display()
    )]
    NoWorker { path: PathBuf },
    /// The process could not be started.
    #[error("cannot start `{}`", path.display())]
    Spawn { path: PathBuf, source: io::Error },
    /// A log file could not be made.
    #[error("cannot create `{}`", path.display())]
    Log { path: PathBuf, source: io::Error },
    /// The kernel did not tell about a process.
    #[error("cannot read `{}`", path.display())]
    Proc { path: PathBuf, source: io::Error },
    /// A signal was refused.
    #[error("cannot signal process {pid}")]
    Signal { pid: u32, source: io::Error },
}
