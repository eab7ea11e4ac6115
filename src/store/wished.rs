//! What people wish of trials, out of the store, and which sweeps they have removed.

use std::collections::{HashMap, HashSet};

use super::columns::word;
use super::rows::Wished;
use super::standing::Wishes;
use super::{Store, StoreError};
use crate::ids::TrainKey;

impl Store {
    /// Returns what is wished of these trials, where anything is.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn wished(
        &self,
        trials: &[TrainKey],
    ) -> Result<HashMap<TrainKey, Wished>, StoreError> {
        let mut wished: HashMap<TrainKey, Wished> = HashMap::new();
        for (key, wishes) in self.wishes().await? {
            if wishes.held_ms.is_some() {
                wished.entry(key).or_default().held_ms = wishes.held_ms;
            }
        }
        for (key, tag) in self.tags().await? {
            wished.entry(key).or_default().tags.push(tag);
        }
        let asked: HashSet<&TrainKey> = trials.iter().collect();
        wished.retain(|key, _| asked.contains(key));
        Ok(wished)
    }

    /// Returns what people wish of trials as far as it decides what runs: of all trials, which are
    /// few, since to look for some of them takes longer than to take all.
    pub(super) async fn wishes(&self) -> Result<HashMap<TrainKey, Wishes>, StoreError> {
        // The condition is that of the index `trial_wished`.
        let records: Vec<(String, Option<i64>, u32)> = sqlx::query_as(
            "SELECT train_key, held_ms, pardoned FROM trial
             WHERE held_ms IS NOT NULL OR pardoned > 0",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let wish = |(key, held_ms, pardoned): (String, _, _)| {
            Ok((trial_key(&key)?, Wishes { held_ms, pardoned }))
        };
        records.into_iter().map(wish).collect()
    }

    /// Returns all tags, those of one trial by name.
    async fn tags(&self) -> Result<Vec<(TrainKey, String)>, StoreError> {
        let records: Vec<(String, String)> = sqlx::query_as(
            "SELECT t.train_key, g.name FROM tag g JOIN trial t ON t.id = g.trial_id
             ORDER BY g.trial_id, g.name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        records.into_iter().map(|(key, name)| Ok((trial_key(&key)?, name))).collect()
    }

    /// Returns the names of the sweeps that are removed and can be restored, the last removed first.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn removed_sweeps(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT name FROM sweep WHERE removed_ms IS NOT NULL ORDER BY removed_ms DESC, name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())
    }
}

fn trial_key(text: &str) -> Result<TrainKey, StoreError> {
    word("train_key", text, || "a trial".to_owned())
}
