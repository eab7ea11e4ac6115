//! Workers as processes of this host, each in a session of its own. Adopts processes that an
//! earlier controller started.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::signal::unix::{self, SignalKind};

use super::binary::Binary;
use super::kin::{Kin, Session};
use super::mark::{self, Mark};
use super::nvml::Driver;
use super::watch::GpuView;
use super::{
    ExecError, Executor, Force, JobHandle, JobStatus, LaunchOrder, Resident, logs, remains,
    session, tenants,
};
use crate::ids::DeviceId;
use crate::outcome::Exit;
use crate::protocol::BINARY_VARIABLE;
use crate::protocol::folder::AttemptFolder;
use crate::protocol::process::Here;

/// Starts workers on this host.
#[derive(Debug)]
pub struct LocalExecutor {
    worker: PathBuf,
    binary: Option<Binary>,
    here: Here,
    /// Our own children, until they are reaped.
    children: Mutex<HashMap<JobHandle, Own>>,
    deaths: tokio::sync::Mutex<Option<unix::Signal>>,
    driver: Option<Driver>,
}

/// A child, and what all that it starts carries.
#[derive(Debug)]
struct Own {
    child: Child,
    mark: Option<Mark>,
}

impl LocalExecutor {
    /// Uses the worker program at `worker`. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// There is no such file, or the kernel's identity of this boot cannot be read.
    pub fn new(worker: impl Into<PathBuf>) -> Result<Self, ExecError> {
        let worker = worker.into();
        if !worker.is_file() {
            return Err(ExecError::NoWorker { path: worker });
        }
        Ok(Self {
            worker: std::path::absolute(&worker).unwrap_or(worker),
            binary: None,
            here: Here::look()
                .map_err(|source| ExecError::Proc { path: "/proc".into(), source })?,
            children: Mutex::default(),
            // Without it deaths are noticed a tick later.
            deaths: tokio::sync::Mutex::new(unix::signal(SignalKind::child()).ok()),
            driver: None,
        })
    }

    /// Watches the GPUs that this driver shows.
    #[must_use]
    pub fn watching(self, driver: Option<Driver>) -> Self {
        Self { driver, ..self }
    }

    /// Tells each worker that this is the BLAKE3 of its binary, while the file stays as it is.
    #[must_use]
    pub fn digested(self, digest: String) -> Self {
        Self { binary: Binary::new(&self.worker, digest).ok(), ..self }
    }

    /// Finds and stops workers, and starts none: it needs no worker program.
    ///
    /// # Errors
    ///
    /// The kernel's identity of this boot cannot be read.
    pub fn without_worker() -> Result<Self, ExecError> {
        // Any file will do where nothing is launched.
        Self::new("/proc/self/exe")
    }

    fn children(&self) -> MutexGuard<'_, HashMap<JobHandle, Own>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at(&self, handle: &JobHandle) -> Result<JobStatus, ExecError> {
        if self.children().contains_key(handle) {
            let exit = exit_of(handle).map_err(|source| no_signal(handle, source))?;
            return Ok(exit.map_or(JobStatus::Alive, JobStatus::Gone));
        }
        Ok(if self.is_here(handle)? { JobStatus::Alive } else { JobStatus::Gone(Exit::Unseen) })
    }

    fn is_here(&self, handle: &JobHandle) -> Result<bool, ExecError> {
        let path = || PathBuf::from(format!("/proc/{}/stat", handle.pid));
        self.here.has(handle).map_err(|source| ExecError::Proc { path: path(), source })
    }
}

impl Executor for LocalExecutor {
    async fn launch(&self, order: &LaunchOrder) -> Result<JobHandle, ExecError> {
        let folder = AttemptFolder::at(&order.folder);
        let no_log = |source| ExecError::Log { path: order.folder.clone(), source };
        let mark = Mark::of(folder.path()).map_err(no_log)?;
        let mut command = Command::new(&self.worker);
        command
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log(&folder.stdout())?)
            .stderr(log(&folder.stderr())?)
            .envs(environment(&order.device, order.threads))
            .env(mark::VARIABLE, mark.value())
            // It would overrule the precision that the order asks for, in libraries below libtorch.
            .env_remove("NVIDIA_TF32_OVERRIDE");
        match self.binary.as_ref().and_then(|binary| binary.digest(&self.worker)) {
            Some(digest) => command.env(BINARY_VARIABLE, digest),
            None => command.env_remove(BINARY_VARIABLE),
        };
        session::lead(&mut command);
        let mut child = command
            .spawn()
            .map_err(|source| ExecError::Spawn { path: self.worker.clone(), source })?;
        // It stays in /proc until we reap it, however short it lives.
        match self.here.identify(child.id()) {
            Ok(handle) => {
                self.children().insert(handle.clone(), Own { child, mark: Some(mark) });
                Ok(handle)
            }
            Err(source) => {
                // Without its start time it could not be found again: it must not live on.
                let _ = child.kill();
                let _ = child.wait();
                Err(ExecError::Proc { path: format!("/proc/{}/stat", child.id()).into(), source })
            }
        }
    }

    async fn look(&self, handles: &[JobHandle]) -> Result<Vec<JobStatus>, ExecError> {
        handles.iter().map(|handle| self.look_at(handle)).collect()
    }

    async fn stop(&self, handle: &JobHandle, force: Force) -> Result<(), ExecError> {
        if !self.is_here(handle)? {
            return Ok(());
        }
        let sent = match force {
            Force::Soft => remains::ask(handle),
            Force::Hard => {
                let mark = self.children().get(handle).and_then(|own| own.mark.clone());
                remains::kill_all(&kin(handle, Session::Held(handle.pid), mark))
            }
        };
        sent.map_err(|source| no_signal(handle, source))
    }

    async fn clear(&self, folder: &Path, handle: Option<&JobHandle>) -> Result<(), ExecError> {
        let Some(handle) = handle else {
            let Ok(mark) = Mark::of(folder) else { return Ok(()) };
            let kin = Kin { mark: Some(mark), session: Session::Unknown, since_ticks: 0 };
            return remains::kill_all(&kin)
                .map_err(|source| ExecError::Proc { path: "/proc".into(), source });
        };
        let own = self.children().remove(handle);
        // Elsewhere it is not ours to judge what is left.
        if !self.here.can_see(handle) {
            return Ok(());
        }
        let (session, mark) = match &own {
            Some(own) => (Session::Held(handle.pid), own.mark.clone()),
            None => (Session::Unknown, Mark::of(folder).ok()),
        };
        let killed = remains::kill_all(&kin(handle, session, mark));
        // Only now may its process id, and with it the id of the session, be used again.
        let reaped = own.map_or(Ok(()), |mut own| own.child.wait().map(drop));
        killed.and(reaped).map_err(|source| no_signal(handle, source))
    }

    async fn gpus(&self, live: &[Resident<'_>]) -> Option<Vec<GpuView>> {
        let gpus = self.driver.as_ref()?.look();
        Some(tenants::attribute(gpus, live, &self.here))
    }

    async fn changed(&self) {
        match self.deaths.lock().await.as_mut() {
            Some(deaths) => {
                deaths.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

fn kin(handle: &JobHandle, session: Session, mark: Option<Mark>) -> Kin {
    Kin { mark, session, since_ticks: handle.start_ticks }
}

fn no_signal(handle: &JobHandle, source: io::Error) -> ExecError {
    ExecError::Signal { pid: handle.pid, source }
}

/// Returns how a child ended, if it did; it stays a zombie.
fn exit_of(child: &JobHandle) -> io::Result<Option<Exit>> {
    let pid = Pid::from_raw(child.pid.cast_signed());
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    Ok(match waitid(Id::Pid(pid), flags)? {
        WaitStatus::Exited(_, code) => Some(Exit::Code(code)),
        WaitStatus::Signaled(_, signal, _) => Some(Exit::Signal(signal as i32)),
        WaitStatus::Stopped(..)
        | WaitStatus::PtraceEvent(..)
        | WaitStatus::PtraceSyscall(_)
        | WaitStatus::Continued(_)
        | WaitStatus::StillAlive => None,
    })
}

fn log(path: &Path) -> Result<File, ExecError> {
    logs::open(path).map_err(|source| ExecError::Log { path: path.to_owned(), source })
}

/// Returns what a worker's numerical libraries are told through the environment.
fn environment(device: &DeviceId, threads: u32) -> Vec<(&'static str, String)> {
    let visible = match device {
        DeviceId::Cpu => String::new(),
        DeviceId::Cuda { uuid, .. } => uuid.clone(),
    };
    let mut variables = vec![
        ("CUDA_VISIBLE_DEVICES", visible),
        ("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned()),
        // Threads that wait for work must not spin on cores that other attempts compute on.
        ("OMP_WAIT_POLICY", "passive".to_owned()),
        ("GOMP_SPINCOUNT", "0".to_owned()),
    ];
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"] {
        variables.push((name, threads.to_string()));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_sees_its_own_device_only() {
        let gpu = DeviceId::Cuda { index: 3, uuid: "GPU-abc".into() };
        let visible = |device| {
            let all = environment(&device, 2);
            all.into_iter().find(|(name, _)| *name == "CUDA_VISIBLE_DEVICES").unwrap().1
        };
        assert_eq!(visible(gpu), "GPU-abc");
        assert_eq!(visible(DeviceId::Cpu), "");
        let all = environment(&DeviceId::Cpu, 2);
        assert!(all.contains(&("OMP_NUM_THREADS", "2".into())));
    }

    #[tokio::test]
    async fn a_missing_worker_is_said_before_anything_starts() {
        let error = LocalExecutor::new("/nowhere/worker").unwrap_err().to_string();
        assert!(error.contains("/nowhere/worker") && error.contains("--worker"), "{error}");
    }
}
