//! Removes checkpoints that nothing will go on from: those of a finished trial, and those before a
//! newer attempt's first. The store knows of the newer one, or of the end, before a file goes.

use std::fs;

use super::error::DriveError;
use crate::ids::TrainKey;
use crate::store::Store;

/// Removes the old checkpoints of one trial, or of all.
pub(super) async fn tidy(
    store: &Store,
    trial: Option<&TrainKey>,
    now_ms: i64,
) -> Result<(), DriveError> {
    let old = store.old_checkpoints(trial).await?;
    if old.is_empty() {
        return Ok(());
    }
    // In this order: a file too many costs room, a promise too many a whole training.
    store.note_checkpoints_gone(&old, now_ms).await?;
    for checkpoint in old {
        // It may be gone already; one that cannot be removed is no reason to stop a run.
        let _ = fs::remove_file(checkpoint.path);
    }
    Ok(())
}
