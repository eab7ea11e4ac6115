//! One controller at a time on a state folder. The kernel releases the lock with the process,
//! however that ends.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use super::error::DriveError;

/// Name of the file in a state folder that is locked.
pub(super) const LOCK: &str = "lock";

/// How often a lock that is held is tried again, and how long each time is waited.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// The lock on a state folder; released when dropped.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes `lock` in the state folder, which is made where it is missing, and writes this host
    /// and process into it.
    ///
    /// # Errors
    ///
    /// [`DriveError::Locked`] names the holder; [`DriveError::Lock`] where the file cannot be
    /// made or locked.
    pub fn take(state: &Path) -> Result<Self, DriveError> {
        let path = state.join(LOCK);
        let failed = |source| DriveError::Lock { path: path.clone(), source };
        std::fs::create_dir_all(state).map_err(failed)?;
        // What it says is cut only once it is ours.
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file);
                return Err(DriveError::Locked { state: state.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_holder(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Takes it as [`take`](Self::take) does, but waits half a second for it: a lock may outlive
    /// whoever had it. A process that a killed controller was just starting holds it until it
    /// becomes the worker, and whoever looks whether it is held has it for that moment.
    ///
    /// # Errors
    ///
    /// Those of [`take`](Self::take).
    pub async fn take_soon(state: &Path) -> Result<Self, DriveError> {
        for _ in 0..TRIES {
            match Self::take(state) {
                Err(DriveError::Locked { .. }) => tokio::time::sleep(PAUSE).await,
                answered => return answered,
            }
        }
        Self::take(state)
    }
}

/// Who works on a state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A controller, by its host and process.
    Somebody(String),
}

/// Tells who works on a state folder.
///
/// # Errors
///
/// The lock is there and cannot be opened or locked.
pub fn holder(state: &Path) -> io::Result<Holder> {
    let path = state.join(LOCK);
    if !is_held(&path)? {
        return Ok(Holder::Nobody);
    }
    Ok(Holder::Somebody(read_holder(&mut File::open(path)?)))
}

/// Returns whether some process holds the lock file at `path`, as a living worker holds its
/// trial's.
///
/// # Errors
///
/// The file is there and cannot be opened or locked.
pub fn is_held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Names this process for others.
pub(super) fn who() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("host {}, process {}", host.trim(), std::process::id())
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(1..) => text.trim().to_owned(),
        // It has locked and not yet written, or wrote what is no text.
        Ok(0) | Err(_) => "process unknown".to_owned(),
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(who().as_bytes())?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_controller_is_refused_and_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = StateLock::take(&state).unwrap();
        let error = StateLock::take(&state).unwrap_err().to_string();
        let process = format!("process {}", std::process::id());
        assert!(error.contains(&process) && error.contains("--state-dir"), "{error}");
        assert!(is_held(&state.join("lock")).unwrap());
        assert_eq!(holder(&state).unwrap(), Holder::Somebody(who()));
        drop(first);
        assert!(!is_held(&state.join("lock")).unwrap());
        StateLock::take(&state).unwrap();
    }

    #[tokio::test]
    async fn a_lock_that_is_about_to_be_free_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateLock::take(folder.path()).unwrap();
        let release = async { drop(first) };
        let (second, ()) = tokio::join!(StateLock::take_soon(folder.path()), release);
        second.unwrap();
    }
}
