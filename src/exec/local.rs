//! Workers as processes of this host, each in a process group of its own. Adopts processes that
//! an earlier controller started.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::signal::unix::{self, SignalKind};

use super::{ExecError, Executor, Force, JobHandle, JobStatus, LaunchOrder, process};
use crate::ids::DeviceId;
use crate::outcome::Exit;
use crate::protocol::folder::AttemptFolder;

/// Starts workers on this host.
#[derive(Debug)]
pub struct LocalExecutor {
    worker: PathBuf,
    boot_id: String,
    /// Our own children, until they are reaped.
    children: Mutex<HashMap<JobHandle, Child>>,
    deaths: tokio::sync::Mutex<Option<unix::Signal>>,
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
            boot_id: process::boot_id()?,
            children: Mutex::default(),
            // Without it deaths are noticed a tick later.
            deaths: tokio::sync::Mutex::new(unix::signal(SignalKind::child()).ok()),
        })
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

    fn children(&self) -> MutexGuard<'_, HashMap<JobHandle, Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at(&self, handle: &JobHandle) -> Result<JobStatus, ExecError> {
        let mut children = self.children();
        let Some(child) = children.get_mut(handle) else {
            return Ok(if process::is_alive(handle, &self.boot_id)? {
                JobStatus::Alive
            } else {
                JobStatus::Gone(Exit::Unseen)
            });
        };
        let exit = reap(child).map_err(|source| ExecError::Signal { pid: handle.pid, source })?;
        Ok(match exit {
            None => JobStatus::Alive,
            Some(exit) => {
                children.remove(handle);
                JobStatus::Gone(exit)
            }
        })
    }
}

impl Executor for LocalExecutor {
    async fn launch(&self, order: &LaunchOrder) -> Result<JobHandle, ExecError> {
        let folder = AttemptFolder::at(&order.folder);
        let mut command = Command::new(&self.worker);
        command
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log(&folder.stdout())?)
            .stderr(log(&folder.stderr())?)
            .envs(environment(&order.device, order.threads))
            // It would overrule the precision that the order asks for, in libraries below libtorch.
            .env_remove("NVIDIA_TF32_OVERRIDE")
            // Before it runs a line of its own it leads a group: a signal from the terminal to the
            // controller's group does not reach it, and to kill the group kills nobody else.
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|source| ExecError::Spawn { path: self.worker.clone(), source })?;
        let pid = child.id();
        // It stays in /proc until we reap it, however short it lives.
        let start_ticks = match process::start_ticks(pid) {
            Ok(ticks) => ticks,
            Err(error) => {
                // Without its start time it could not be found again: it must not live on.
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let handle = JobHandle { pid, start_ticks, boot_id: self.boot_id.clone() };
        self.children().insert(handle.clone(), child);
        Ok(handle)
    }

    async fn look(&self, handles: &[JobHandle]) -> Result<Vec<JobStatus>, ExecError> {
        handles.iter().map(|handle| self.look_at(handle)).collect()
    }

    async fn stop(&self, handle: &JobHandle, force: Force) -> Result<(), ExecError> {
        if !process::is_alive(handle, &self.boot_id)? {
            return Ok(());
        }
        let pid = pid_of(handle.pid);
        let sent = match force {
            Force::Soft => kill(pid, Signal::SIGTERM),
            Force::Hard => killpg(pid, Signal::SIGKILL),
        };
        match sent {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(ExecError::Signal { pid: handle.pid, source: errno.into() }),
        }
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

/// Returns how the child ended, if it did. What it started and left behind is killed before its
/// process id, and with it the id of the group, can be used again.
fn reap(child: &mut Child) -> io::Result<Option<Exit>> {
    let pid = pid_of(child.id());
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    if waitid(Id::Pid(pid), flags)? == WaitStatus::StillAlive {
        return Ok(None);
    }
    match killpg(pid, Signal::SIGKILL) {
        // Linux answers EPERM for members that are not ours to kill, which is not our concern.
        Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
        Err(errno) => return Err(errno.into()),
    }
    child.wait().map(|status| Some(exit(status)))
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unseen,
    }
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

fn log(path: &Path) -> Result<File, ExecError> {
    File::create(path).map_err(|source| ExecError::Log { path: path.to_owned(), source })
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
