//! `gc`: frees the disk of what no sweep asks for any more. Rows stay: results are kept for good,
//! and a trial that is asked for again is trained or resumed as its files allow.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use super::args::{Form, GcArgs};
use super::exit::ExitCode;
use super::places::Places;
use super::reading::Reading;
use super::{JSON_SCHEMA, json_text};
use crate::drive::lock::{StateLock, is_held};
use crate::ids::TrainKey;
use crate::protocol::folder::TrialFolder;
use crate::store::AskedFor;
use crate::ui::{Ui, words};

/// Something that nobody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Litter {
    why: Why,
    path: PathBuf,
    bytes: u64,
}

/// Why nobody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    /// The trial is in no revision of a sweep that is not removed.
    NoSweep,
    /// The store knows no such attempt.
    NoAttempt,
    /// It was to be renamed, and whoever wrote it is gone.
    HalfWritten,
}

impl Why {
    fn words(self) -> &'static str {
        match self {
            Self::NoSweep => "no sweep asks for it",
            Self::NoAttempt => "no attempt is known",
            Self::HalfWritten => "half written",
        }
    }
}

/// What there is to clean away, and what was left alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    litter: Vec<Litter>,
    /// Trials whose worker lives.
    alive: Vec<TrainKey>,
}

/// Whether litter is only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Tell,
    Delete,
}

pub(super) fn run(args: &GcArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let deed = if args.yes { Deed::Delete } else { Deed::Tell };
    let reading = Reading::open_existing(places)?;
    let state = reading.store.state_dir().to_owned();
    // Before anything is looked at: what is decided must still be true when it is deleted.
    let _lock = match deed {
        Deed::Delete => Some(StateLock::take(&state)?),
        Deed::Tell => None,
    };
    let listing = list(&state)?;
    let found = sort(listing, &reading.wait(reading.store.asked_for())?, &state)?;
    if let Deed::Delete = deed {
        for litter in &found.litter {
            delete(&litter.path)
                .with_context(|| format!("cannot delete {}", litter.path.display()))?;
        }
    }
    ui.print(&match args.reader.form() {
        Form::Text => text(&found, deed),
        Form::Json => json_text(&json(&found, deed)),
    })?;
    Ok(ExitCode::Success)
}

/// What lies in the state folder: files beside the database, and each trial's folder.
struct Listing {
    files: Vec<PathBuf>,
    trials: Vec<PathBuf>,
}

/// Lists folders before rows are read: a row is there before its folder is.
fn list(state: &Path) -> anyhow::Result<Listing> {
    let entries = |folder: &Path| match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let read = |folder: PathBuf| -> anyhow::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> =
            entries(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        paths.sort();
        Ok(paths)
    };
    Ok(Listing { files: read(state.to_owned())?, trials: read(state.join("trials"))? })
}

/// Tells litter from what is asked for.
fn sort(listing: Listing, asked_for: &AskedFor, state: &Path) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for path in listing.files.into_iter().filter(|path| path.is_file() && is_half_written(path)) {
        found.add(Why::HalfWritten, path)?;
    }
    for folder in listing.trials {
        // What has another name is not ours.
        let name = folder.file_name().and_then(|name| name.to_str());
        let Some(key) = name.and_then(|name| name.parse::<TrainKey>().ok()) else { continue };
        let lock = TrialFolder::new(state, &key).lock();
        if is_held(&lock).with_context(|| format!("cannot look at {}", lock.display()))? {
            found.alive.push(key);
        } else if asked_for.trials.contains(&key) {
            sort_trial(&folder, asked_for, &mut found)?;
        } else {
            found.add(Why::NoSweep, folder)?;
        }
    }
    Ok(found)
}

/// Tells litter within the folder of a trial that is asked for.
fn sort_trial(folder: &Path, asked_for: &AskedFor, found: &mut Found) -> anyhow::Result<()> {
    for attempt in contents(folder)? {
        if !attempt.is_dir() {
            if is_half_written(&attempt) {
                found.add(Why::HalfWritten, attempt)?;
            }
        } else if asked_for.folders.contains(&attempt) {
            for file in contents(&attempt)?.into_iter().filter(|file| is_half_written(file)) {
                found.add(Why::HalfWritten, file)?;
            }
        } else if is_attempt(&attempt) {
            found.add(Why::NoAttempt, attempt)?;
        }
    }
    Ok(())
}

impl Found {
    fn add(&mut self, why: Why, path: PathBuf) -> anyhow::Result<()> {
        let bytes = size(&path).with_context(|| format!("cannot read {}", path.display()))?;
        self.litter.push(Litter { why, path, bytes });
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.litter.iter().map(|litter| litter.bytes).sum()
    }
}

/// Files are written aside under such names, and renamed when they are whole.
fn is_half_written(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(".tmp") || name.ends_with(".tmp.safetensors")
}

/// Attempts have folders of four digits or more.
fn is_attempt(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_digit())
}

fn contents(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || {
        let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        entries.collect::<io::Result<Vec<PathBuf>>>()
    };
    let mut paths = read().with_context(|| format!("cannot read {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

/// Returns the bytes of a file or of all files below a folder; links are not followed.
fn size(path: &Path) -> io::Result<u64> {
    let facts = path.symlink_metadata()?;
    if !facts.is_dir() {
        return Ok(facts.len());
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}

fn delete(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn text(found: &Found, deed: Deed) -> String {
    let mut text = String::new();
    for Litter { why, path, bytes } in &found.litter {
        text.push_str(&format!(
            "{:>9}  {}  ({})\n",
            words::bytes(*bytes),
            path.display(),
            why.words()
        ));
    }
    for key in &found.alive {
        text.push_str(&format!(
            "           trial {} is left alone: its worker lives\n",
            key.short()
        ));
    }
    let bytes = words::bytes(found.bytes());
    let last = match (deed, found.litter.len()) {
        (_, 0) => "nothing to clean away\n".to_owned(),
        (Deed::Tell, _) => {
            format!("{bytes} can be freed: `byol-sweep gc --yes` deletes all of this\n")
        }
        (Deed::Delete, _) => format!("{bytes} freed\n"),
    };
    text + &last
}

fn json(found: &Found, deed: Deed) -> serde_json::Value {
    json!({
        "schema": JSON_SCHEMA,
        "deleted": deed == Deed::Delete,
        "bytes": found.bytes(),
        "litter": found.litter,
        "alive": found.alive,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_ours_are_litter() {
        for name in [".tmpAb12cd", "checkpoint.tmp.safetensors"] {
            assert!(is_half_written(Path::new(name)), "{name}");
        }
        for name in ["checkpoint.safetensors", "events.jsonl", "notes.tmp", "lock"] {
            assert!(!is_half_written(Path::new(name)), "{name}");
        }
        assert!(is_attempt(Path::new("a/0001")) && is_attempt(Path::new("12345")));
        assert!(!is_attempt(Path::new("a/001")) && !is_attempt(Path::new("mine")));
    }

    #[test]
    fn litter_is_told_by_size_and_reason() {
        let litter = |why, path: &str, bytes| Litter { why, path: path.into(), bytes };
        let found = Found {
            litter: vec![
                litter(Why::NoSweep, "trials/a", 4_700_000_000),
                litter(Why::NoAttempt, "trials/b/0003", 12),
                litter(Why::HalfWritten, "trials/b/0001/.tmpx", 999),
            ],
            alive: Vec::new(),
        };
        insta::assert_snapshot!(text(&found, Deed::Tell));
        insta::assert_json_snapshot!("for_programs", json(&found, Deed::Delete));
        assert_eq!(text(&Found::default(), Deed::Tell), "nothing to clean away\n");
    }
}
