//! Where imports are kept: `imports/NAME.csv` in the state folder, as they were handed in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ImportError, Imported, read};
use crate::files::write_atomically;

/// What happens to another import of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays.
    Kept,
    /// The new one takes its place.
    Replaced,
}

fn folder(state: &Path) -> PathBuf {
    state.join("imports")
}

/// Checks a table and keeps it in the state folder; returns its rows. What is kept already is kept.
///
/// # Errors
/// The text is no such table, another one has the name, the disk refuses. `file` stands in errors.
pub fn keep(
    state: &Path,
    name: &str,
    file: &Path,
    text: &str,
    existing: Existing,
) -> Result<Vec<Imported>, ImportError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || !name.chars().all(fine) {
        return Err(ImportError::BadName(name.to_owned()));
    }
    let rows = read(file, text, name)?;
    let kept = folder(state).join(format!("{name}.csv"));
    match (fs::read_to_string(&kept), existing) {
        (Ok(before), _) if before == text => return Ok(rows),
        (Ok(_), Existing::Kept) => return Err(ImportError::Exists { name: name.to_owned() }),
        (Ok(_), Existing::Replaced) | (Err(_), _) => {}
    }
    write_atomically(&kept, text.as_bytes())
        .map_err(|source| ImportError::Write { file: kept, source })?;
    Ok(rows)
}

/// Returns all rows that were imported into a state folder, file after file by their names; none
/// where nothing was.
///
/// # Errors
/// A file cannot be read, or is no longer what was imported.
pub fn imported(state: &Path) -> Result<Vec<Imported>, ImportError> {
    let folder = folder(state);
    let failed = |file: &Path| {
        let file = file.to_owned();
        move |source| ImportError::Read { file, source }
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&folder)(error)),
    };
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<PathBuf>>>()
        .map_err(failed(&folder))?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "csv"));
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(failed(&file))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        rows.extend(read(&file, &text, &name)?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "arm,metric,value\ncrop only,linear_top1,0.4\n";

    #[test]
    fn what_is_kept_comes_back_and_is_replaced_only_when_forced() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(imported(state.path()).unwrap(), []);
        let import =
            |name, text, existing| keep(state.path(), name, Path::new("their.csv"), text, existing);
        let rows = import("chen", TABLE, Existing::Kept).unwrap();
        import("chen", TABLE, Existing::Kept).unwrap();
        import("azabou", TABLE, Existing::Kept).unwrap();
        let all = imported(state.path()).unwrap();
        let names: Vec<&str> = all.iter().map(|row| row.import.as_str()).collect();
        assert_eq!((names, &all[1]), (vec!["azabou", "chen"], &rows[0]));

        let other = TABLE.replace("0.4", "0.5");
        let error = import("chen", &other, Existing::Kept).unwrap_err();
        assert!(matches!(error, ImportError::Exists { .. }), "{error}");
        import("chen", &other, Existing::Replaced).unwrap();
        assert_eq!(imported(state.path()).unwrap()[1].value, 0.5);
    }

    #[test]
    fn a_name_stays_within_its_folder() {
        let state = tempfile::tempdir().unwrap();
        for name in ["", "../store", "a/b", "a.b"] {
            let error =
                keep(state.path(), name, Path::new("x"), TABLE, Existing::Kept).unwrap_err();
            assert!(matches!(error, ImportError::BadName(_)), "{name}: {error}");
        }
        assert!(!state.path().join("imports").exists());
    }
}
