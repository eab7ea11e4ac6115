//! What a power cut does to files that were not synced: event files end earlier. What a checkpoint
//! rests on was synced before it, and stays.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::dice::Dice;

/// File in the folder of an attempt whose events were cut.
pub(crate) const TORN: &str = "torn";

/// Cuts the event file of each trial's last attempt somewhere in its unsynced tail; returns how
/// many lost something. Nobody may be alive.
pub(crate) fn lose_what_was_not_synced(state: &Path, dice: &mut Dice) -> u64 {
    let mut torn = 0;
    for trial in folders(&state.join("trials")) {
        let Some(attempt) = folders(&trial).pop() else { continue };
        let path = attempt.join("events.jsonl");
        let Ok(bytes) = fs::read(&path) else { continue };
        let synced = synced(&bytes, checkpoint(&attempt));
        let length = synced + dice.below((bytes.len() - synced) as u64 + 1) as usize;
        if length < bytes.len() {
            File::options().write(true).open(&path).unwrap().set_len(length as u64).unwrap();
            File::create(attempt.join(TORN)).unwrap();
            torn += 1;
        }
    }
    torn
}

/// Returns the folders in a folder, in the order of their names.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|p| p.is_dir()).collect();
    all.sort();
    all
}

/// Returns how many bytes a power cut leaves for sure: all up to the last metrics that the newest
/// checkpoint builds on. Where that cannot be read, all metrics.
fn synced(bytes: &[u8], checkpoint: Option<u64>) -> usize {
    let (mut end, mut synced) = (0, 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        end += line.len();
        let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
        let event = &line["event"];
        if event["kind"] == "metrics"
            && event["update"].as_u64() <= Some(checkpoint.unwrap_or(u64::MAX))
        {
            synced = end;
        }
    }
    synced
}

/// Returns the updates of the fake worker's checkpoint; the real one's is not for us to read.
fn checkpoint(attempt: &Path) -> Option<u64> {
    match fs::read(attempt.join("checkpoint.safetensors")) {
        Ok(bytes) => serde_json::from_slice::<Value>(&bytes).ok()?["update"].as_u64(),
        // Without one, nothing was synced.
        Err(_) => Some(0),
    }
}
