//! A folder to type commands in, with nothing inherited from the caller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// See the module.
pub(crate) struct Terminal {
    folder: TempDir,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Returns the command of a line; words are parted by spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_byol-sweep"));
        command.args(line.split_whitespace()).current_dir(self.path());
        for variable in [
            "BYOL_SWEEP_STATE",
            "BYOL_SWEEP_DATA",
            "BYOL_SWEEP_WORKER",
            "NO_COLOR",
            "RUST_BACKTRACE",
            "XDG_CACHE_HOME",
        ] {
            command.env_remove(variable);
        }
        // What is tried again is tried at once.
        command.env("HOME", self.path()).env("BYOL_SWEEP_BACKOFF_MS", "1");
        command
    }

    pub(crate) fn type_in(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, file: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Asserts the exit code, and that no panic was shown instead of a message.
#[track_caller]
pub(crate) fn assert_code(output: &Output, code: i32) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for trace in ["panicked at", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!said.contains(trace), "{said}");
    }
}
