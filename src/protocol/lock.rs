//! The lock that a living worker holds on its trial. Knows nothing of what the worker does.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Time between two tries of [`hold`].
pub const PAUSE: Duration = Duration::from_millis(100);

/// Takes the lock at `path`, which lasts as long as the file is open; `None` where another process
/// still holds it after `pauses` times [`PAUSE`].
///
/// # Errors
///
/// The file cannot be made or locked.
pub fn hold(path: &Path, pauses: u32) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    for left in (0..=pauses).rev() {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if left > 0 => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_stays_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = hold(&path, 0).unwrap();
        assert!(first.is_some());
        assert!(hold(&path, 0).unwrap().is_none());
    }

    #[test]
    fn a_holder_that_leaves_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = hold(&path, 0).unwrap();
        let second = std::thread::scope(|scope| {
            let second = scope.spawn(|| hold(&path, 600));
            drop(first);
            second.join().unwrap()
        });
        assert!(second.unwrap().is_some());
    }
}
