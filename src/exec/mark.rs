//! The mark that everything an attempt starts carries in its environment: it survives a change of
//! session and the death of the worker, and a later controller can make it again from the folder.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Name of the environment variable.
pub(super) const VARIABLE: &str = "BYOL_SWEEP_ATTEMPT";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    /// Returns the mark of an attempt: where its folder lies on which disk, so that a state folder
    /// of the same path in another container has others, and which attempt it is, so that a number
    /// that the disk uses again does not matter.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let place = folder.metadata()?;
        let name = |path: Option<&Path>| {
            path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
        };
        let (trial, attempt) = (name(folder.parent()), name(Some(folder)));
        Ok(Self(format!("{:x}:{:x}:{trial}/{attempt}", place.dev(), place.ino())))
    }

    /// Returns the value of the variable.
    pub(super) fn value(&self) -> &str {
        &self.0
    }

    /// Returns whether it is in the text of `/proc/<pid>/environ`.
    pub(super) fn is_in(&self, environ: &[u8]) -> bool {
        environ.split(|&byte| byte == 0).any(|variable| {
            let value = variable.strip_prefix(VARIABLE.as_bytes());
            value.and_then(|value| value.strip_prefix(b"=")) == Some(self.0.as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_has_the_same_mark_always_and_no_other_has_it() {
        let state = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = state.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            folder
        };
        let mark = Mark::of(&folder("a/0001")).unwrap();
        assert_eq!(Mark::of(&folder("a/0001")).unwrap(), mark);
        assert_ne!(Mark::of(&folder("a/0002")).unwrap(), mark);
        assert!(mark.value().ends_with(":a/0001"), "{mark:?}");
        assert!(Mark::of(&state.path().join("missing")).is_err());
    }

    #[test]
    fn only_the_whole_variable_counts() {
        let mark = Mark("1:2:a/0001".into());
        assert!(mark.is_in(b"HOME=/\0BYOL_SWEEP_ATTEMPT=1:2:a/0001\0"));
        for environ in [
            &b""[..],
            b"BYOL_SWEEP_ATTEMPT=1:2:a/00011\0",
            b"XBYOL_SWEEP_ATTEMPT=1:2:a/0001\0",
            b"BYOL_SWEEP_ATTEMPT=\0",
        ] {
            assert!(!mark.is_in(environ), "{}", String::from_utf8_lossy(environ));
        }
    }
}
