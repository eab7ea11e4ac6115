//! Opens what the user calls a sweep file: a path, or the name of one that ships.

use std::io;
use std::path::{Path, PathBuf};

use super::exit::UsageError;
use super::shipped;
use crate::ui::Ui;

/// A sweep file's text and what to call it in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SweepFile {
    /// Path as typed, or `sweeps/...` for one that ships.
    pub path: PathBuf,
    /// The file.
    pub text: String,
}

/// Reads the file, or the shipped sweep of that name where no such file exists.
pub(super) fn open(typed: &Path, ui: &mut Ui) -> anyhow::Result<SweepFile> {
    match std::fs::read_to_string(typed) {
        Ok(text) => Ok(SweepFile { path: typed.to_owned(), text }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = shipped_of(typed)?;
            ui.note(&format!(
                "{} is not here; using the sweep of that name that ships",
                typed.display()
            ));
            Ok(file)
        }
        Err(error) => Err(UsageError(format!("cannot read {}: {error}", typed.display())).into()),
    }
}

fn shipped_of(typed: &Path) -> Result<SweepFile, UsageError> {
    let name = typed.to_string_lossy();
    if let Some(shipped) = shipped::find(&name) {
        let path = Path::new("sweeps").join(shipped.path);
        return Ok(SweepFile { path, text: shipped.text.to_owned() });
    }
    let hint = shipped::hint(&name);
    Err(UsageError(format!("no file {name}, and it names no single sweep that ships: {hint}")))
}
