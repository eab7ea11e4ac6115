//! What people wish of trials, out of the store, and which sweeps they have removed.

use std::collections::{HashMap, HashSet};

use super::columns::word;
use super::rows::Wished;
use super::standing::Wishes;
use super::{Store, StoreError};
use crate::ids::TrainKey;

/// All that people wish of a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Since when it is held.
    pub held_ms: Option<i64>,
    /// Failures of attempts up to this number are forgiven.
    pub pardoned: u32,
    /// Its names, in order.
    pub tags: Vec<String>,
}

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
        let asked: HashSet<&TrainKey> = trials.iter().collect();
        let wished = |(key, Wish { held_ms, pardoned: _, tags }): (TrainKey, Wish)| {
            let is_wished = asked.contains(&key) && (held_ms.is_some() || !tags.is_empty());
            is_wished.then_some((key, Wished { held_ms, tags }))
        };
        Ok(self.all_wishes().await?.into_iter().filter_map(wished).collect())
    }

    /// Returns what people wish, of all trials that they wish anything of.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn all_wishes(&self) -> Result<HashMap<TrainKey, Wish>, StoreError> {
        let wishes = self.wishes().await?;
        let wish = |(key, Wishes { held_ms, pardoned })| {
            (key, Wish { held_ms, pardoned, tags: Vec::new() })
        };
        let mut all: HashMap<TrainKey, Wish> = wishes.into_iter().map(wish).collect();
        for (key, tag) in self.tags().await? {
            all.entry(key).or_default().tags.push(tag);
        }
        Ok(all)
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
