//! Decisions to stop trials early, and what is known of trials in the light of them.

use std::collections::HashMap;

use super::columns::{key_list, word};
use super::rows::{EarlyStopRow, Known};
use super::standing::stop_early;
use super::{Store, StoreError};
use crate::ids::{EvalKey, TrainKey};
use crate::spec::sweep::EarlyStop;

impl Store {
    /// Notes that a policy stopped these trials of a sweep; a decision that is there already stays.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn note_early_stops(
        &self,
        sweep: &str,
        policy: &EarlyStop,
        trials: &[TrainKey],
        decision: EarlyStopRow,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO early_stop (sweep_id, policy, trial_id, epoch, value, bar, at_ms)
             SELECT s.id, ?, t.id, ?, ?, ?, ?
             FROM sweep s JOIN trial t ON t.train_key IN (SELECT value FROM json_each(?))
             WHERE s.name = ?
             ON CONFLICT DO NOTHING",
        )
        .bind(policy.identity())
        .bind(decision.epoch)
        .bind(decision.value)
        .bind(decision.bar)
        .bind(decision.at_ms)
        .bind(key_list(trials))
        .bind(sweep)
        .execute(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(())
    }

    /// Returns what a policy decided in a sweep.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn early_stops(
        &self,
        sweep: &str,
        policy: &EarlyStop,
    ) -> Result<HashMap<TrainKey, EarlyStopRow>, StoreError> {
        let rows: Vec<(String, u32, f64, f64, i64)> = sqlx::query_as(
            "SELECT t.train_key, e.epoch, e.value, e.bar, e.at_ms
             FROM early_stop e
             JOIN sweep s ON s.id = e.sweep_id
             JOIN trial t ON t.id = e.trial_id
             WHERE s.name = ? AND e.policy = ?",
        )
        .bind(sweep)
        .bind(policy.identity())
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let decision = |(key, epoch, value, bar, at_ms): (String, _, _, _, _)| {
            let key = word("train_key", &key, || "a trial".to_owned())?;
            Ok((key, EarlyStopRow { epoch, value, bar, at_ms }))
        };
        rows.into_iter().map(decision).collect()
    }

    /// Returns what is known of each trial to a sweep with that policy: as [`known`](Self::known),
    /// and what the policy stopped is *pruned* where it is neither alive nor trained.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn known_to(
        &self,
        sweep: &str,
        policy: Option<&EarlyStop>,
        protocol: &EvalKey,
        trials: &[TrainKey],
    ) -> Result<HashMap<TrainKey, Known>, StoreError> {
        let mut known = self.known(protocol, trials).await?;
        if let Some(policy) = policy {
            for (key, decision) in self.early_stops(sweep, policy).await? {
                known.entry(key).and_modify(|known| stop_early(known, decision));
            }
        }
        Ok(known)
    }
}
