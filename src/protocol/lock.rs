//! The lock that a living worker holds on its trial. Knows nothing of what the worker does.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes the lock at `path`, which lasts as long as the file is open; `None` where another process
/// holds it for longer than `patience`.
///
/// # Errors
///
/// The file cannot be made or locked.
pub fn hold(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= patience => return Ok(None),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_stays_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = hold(&path, Duration::ZERO).unwrap();
        assert!(first.is_some());
        assert!(hold(&path, Duration::ZERO).unwrap().is_none());
    }

    #[test]
    fn a_holder_that_leaves_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = hold(&path, Duration::ZERO).unwrap();
        let second = std::thread::scope(|scope| {
            let second = scope.spawn(|| hold(&path, Duration::from_secs(60)));
            drop(first);
            second.join().unwrap()
        });
        assert!(second.unwrap().is_some());
    }
}
