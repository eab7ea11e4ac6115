//! What people wish of trials, out of the store, and which sweeps they have removed.

use std::collections::HashMap;

use super::columns::{key_list, word};
use super::rows::Wished;
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
        let records: Vec<(String, Option<i64>, Option<String>)> = sqlx::query_as(
            "SELECT t.train_key, t.held_ms, g.name
             FROM trial t LEFT JOIN tag g ON g.trial_id = t.id
             WHERE (t.held_ms IS NOT NULL OR g.name IS NOT NULL)
             AND t.train_key IN (SELECT value FROM json_each(?))
             ORDER BY t.id, g.name",
        )
        .bind(key_list(trials))
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let mut wished: HashMap<TrainKey, Wished> = HashMap::new();
        for (key, held_ms, tag) in records {
            let key = word("train_key", &key, || "a trial".to_owned())?;
            let entry = wished.entry(key).or_default();
            entry.held_ms = held_ms;
            entry.tags.extend(tag);
        }
        Ok(wished)
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
