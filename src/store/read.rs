//! Sweeps, trials and attempts out of the store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::columns::{AttemptRecord, OutcomeColumns, json, key_list, once, text, to_json, word};
use super::rows::{AttemptRow, Known, SweepRow, TrialRow};
use super::standing::{Facts, Kept, stand, stop_early};
use super::{Store, StoreError};
use crate::ids::{EvalKey, GroupKey, TrainKey};
use crate::plan::Label;
use crate::protocol::Started;
use crate::spec::run::RunSpec;

/// A link to a trial with what sets the trial apart from others of its group.
#[derive(Deserialize)]
pub(super) struct TrialRecord {
    pub(super) ordinal: u32,
    pub(super) train_key: TrainKey,
    group_key: GroupKey,
    /// `None` where an earlier version's spec told none.
    seed: Option<i64>,
    labels_json: String,
}

/// What counts of an attempt, as the tables have it.
#[derive(Deserialize)]
pub(super) struct FactsRecord {
    /// The trial's place in the list that was asked for.
    pub(super) place: usize,
    number: u32,
    pub(super) kind: String,
    /// `None` for the protocol that is asked about.
    eval_key: Option<EvalKey>,
    pub(super) outcome: OutcomeColumns,
    /// Absent where nobody asks for it.
    kept: Option<KeptRecord>,
}

/// What a next attempt takes over.
#[derive(Deserialize)]
struct KeptRecord {
    threads: u32,
    folder: String,
    weights: Option<String>,
    checkpoint_file: Option<String>,
    checkpoint_update: Option<i64>,
}

impl FactsRecord {
    fn decode(
        self,
        trial: &TrainKey,
        protocol: &EvalKey,
        state: &Path,
    ) -> Result<Facts, StoreError> {
        let name = || format!("attempt {} of trial {trial}", self.number);
        Ok(Facts {
            number: self.number,
            kind: word("kind", &self.kind, name)?,
            outcome: self.outcome.decode(name)?,
            eval_key: self.eval_key.unwrap_or_else(|| protocol.clone()),
            kept: self.kept.map(|kept| kept.decode(state)),
        })
    }
}

impl KeptRecord {
    fn decode(self, state: &Path) -> Kept {
        let folder = state.join(&self.folder);
        Kept {
            threads: self.threads,
            weights: self.weights.map(|file| folder.join(file)),
            checkpoint: self
                .checkpoint_file
                .zip(self.checkpoint_update)
                .map(|(file, update)| (folder.join(file), update.cast_unsigned())),
        }
    }
}

impl Store {
    /// Returns all sweeps in the order of their creation.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn sweeps(&self) -> Result<Vec<SweepRow>, StoreError> {
        sqlx::query_as("SELECT * FROM sweep_now ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .map_err(self.sql())
    }

    /// Returns the sweep of that name.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn sweep(&self, name: &str) -> Result<Option<SweepRow>, StoreError> {
        sqlx::query_as("SELECT * FROM sweep_now WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(self.sql())
    }

    /// Returns the sweep whose plan was synced last: what `@` names.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn latest_sweep(&self) -> Result<Option<SweepRow>, StoreError> {
        sqlx::query_as("SELECT * FROM sweep_now ORDER BY asked_ms DESC, id DESC LIMIT 1")
            .fetch_optional(&self.pool)
            .await
            .map_err(self.sql())
    }

    /// Returns the trials that this revision of the sweep asks for, by their numbers, each with
    /// its state with respect to this revision's evaluation protocol.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a stored spec that this version cannot read.
    pub async fn trials(&self, sweep: &SweepRow) -> Result<Vec<TrialRow>, StoreError> {
        let (records, facts) = tokio::try_join!(self.links(sweep), self.facts_in(sweep))?;
        self.rows(sweep, records, facts).await
    }

    /// Returns which trials a sweep asks for, by their numbers.
    pub(super) async fn links(&self, sweep: &SweepRow) -> Result<Vec<TrialRecord>, StoreError> {
        let links = sqlx::query_scalar(
            "SELECT json_group_array(json_array(
                 l.ordinal, t.train_key, t.group_key, t.seed, l.labels_json))
             FROM sweep_trial l JOIN trial t ON t.id = l.trial_id
             WHERE l.sweep_id = ? AND l.revision = ?",
        );
        let links = links.bind(sweep.id).bind(sweep.revision);
        let mut records: Vec<TrialRecord> = self.bulk("trial", links).await?;
        records.sort_unstable_by_key(|record| record.ordinal);
        Ok(records)
    }

    /// Puts together a sweep's trials and what their attempts tell of them.
    pub(super) async fn rows(
        &self,
        sweep: &SweepRow,
        records: Vec<TrialRecord>,
        facts: Vec<FactsRecord>,
    ) -> Result<Vec<TrialRow>, StoreError> {
        let (runs, mut all_known) = tokio::try_join!(
            self.runs_by_group(&records),
            self.known_in(&records, facts, &sweep.eval_key)
        )?;
        if let Some(policy) = sweep.facts.early_stop.as_ref() {
            let decisions = self.early_stops(&sweep.name, policy).await?;
            for (record, known) in records.iter().zip(&mut all_known) {
                if let Some(decision) = decisions.get(&record.train_key) {
                    stop_early(known, *decision);
                }
            }
        }
        let mut trials = Vec::with_capacity(records.len());
        // Trials of a cell have the same labels.
        let mut read: HashMap<String, Arc<[Label]>> = HashMap::new();
        for (record, known) in records.into_iter().zip(all_known) {
            let name = || format!("trial {}", record.train_key);
            let labels = match read.get(&record.labels_json) {
                Some(labels) => Arc::clone(labels),
                None => {
                    let labels: Arc<[Label]> = json("labels_json", &record.labels_json, name)?;
                    read.insert(record.labels_json, Arc::clone(&labels));
                    labels
                }
            };
            let (Some(seed), Some(run)) = (record.seed, runs.get(&record.group_key)) else {
                let cause = "it has no seed".to_owned();
                return Err(StoreError::BadValue { column: "spec_json", of: name(), cause });
            };
            trials.push(TrialRow {
                run: RunSpec { seed: seed.cast_unsigned(), ..run.clone() },
                labels,
                ordinal: record.ordinal,
                train_key: record.train_key,
                group_key: record.group_key,
                state: known.state,
                attempts: known.attempts,
                verdict: known.verdict,
                failure: known.failure,
                early_stop: known.early_stop,
            });
        }
        Ok(trials)
    }

    /// Returns what a sweep's attempts tell of their trials' states, and not what a next attempt takes
    /// over; places are the numbers of the trials.
    async fn facts_in(&self, sweep: &SweepRow) -> Result<Vec<FactsRecord>, StoreError> {
        let facts = sqlx::query_scalar(
            "SELECT json_group_array(json_array(
                 l.ordinal, a.number, a.kind, nullif(a.eval_key, ?1),
                 json_array(a.outcome, a.verdict, a.reason, a.detail), NULL))
             FROM sweep_trial l CROSS JOIN attempt a ON a.trial_id = l.trial_id
             WHERE l.sweep_id = ?2 AND l.revision = ?3",
        );
        let facts = facts.bind(sweep.eval_key.as_str()).bind(sweep.id).bind(sweep.revision);
        self.bulk("attempt", facts).await
    }

    /// Returns what is known of each of these trials, which come by their numbers.
    async fn known_in(
        &self,
        trials: &[TrialRecord],
        facts: Vec<FactsRecord>,
        protocol: &EvalKey,
    ) -> Result<Vec<Known>, StoreError> {
        let in_list = |record: FactsRecord| {
            let ordinal = |trial: &TrialRecord| trial.ordinal as usize;
            let place = trials.binary_search_by_key(&record.place, ordinal).ok()?;
            Some(FactsRecord { place, ..record })
        };
        let facts = facts.into_iter().filter_map(in_list).collect();
        let keys: Vec<&TrainKey> = trials.iter().map(|trial| &trial.train_key).collect();
        self.stand_all(facts, &keys, protocol).await
    }

    /// Returns the spec of one trial of each group: the others of the group differ in the seed
    /// alone, and reading specs is most of what a large sweep takes to be read.
    async fn runs_by_group(
        &self,
        trials: &[TrialRecord],
    ) -> Result<HashMap<GroupKey, RunSpec>, StoreError> {
        let of_groups: HashMap<&GroupKey, &TrainKey> =
            trials.iter().map(|trial| (&trial.group_key, &trial.train_key)).collect();
        let asked: Vec<&TrainKey> = of_groups.into_values().collect();
        let records: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT t.group_key, t.train_key, t.spec_json
             FROM json_each(?) AS asked CROSS JOIN trial t ON t.train_key = asked.value",
        )
        .bind(to_json(&asked))
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let read = |(group, trial, spec): (String, String, String)| {
            let name = || format!("trial {trial}");
            Ok((word("group_key", &group, name)?, json("spec_json", &spec, name)?))
        };
        records.into_iter().map(read).collect()
    }

    /// Returns what is known of each trial with respect to `protocol`, whichever sweeps ask for
    /// it; a trial that no plan had is pending.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn known(
        &self,
        protocol: &EvalKey,
        trials: &[TrainKey],
    ) -> Result<HashMap<TrainKey, Known>, StoreError> {
        let asked = once(trials);
        let facts = sqlx::query_scalar(
            "SELECT json_group_array(json_array(
                 asked.key, a.number, a.kind, nullif(a.eval_key, ?1),
                 json_array(a.outcome, a.verdict, a.reason, a.detail),
                 json_array(
                     a.threads, a.folder,
                     (SELECT w.path FROM artifact w
                      WHERE w.attempt_id = a.id AND w.kind = 'weights'
                      ORDER BY w.seq DESC LIMIT 1),
                     CASE WHEN a.checkpoint_gone_ms IS NULL THEN a.checkpoint_file END,
                     a.checkpoint_update)))
             FROM json_each(?2) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a ON a.trial_id = t.id",
        );
        let facts = facts.bind(protocol.as_str()).bind(to_json(&asked));
        let records: Vec<FactsRecord> = self.bulk("attempt", facts).await?;
        let known = self.stand_all(records, &asked, protocol).await?;
        Ok(asked.into_iter().cloned().zip(known).collect())
    }

    /// Sums up the attempts of each of these trials, whose places the records tell.
    async fn stand_all(
        &self,
        records: Vec<FactsRecord>,
        trials: &[&TrainKey],
        protocol: &EvalKey,
    ) -> Result<Vec<Known>, StoreError> {
        let wishes = self.wishes().await?;
        let mut attempts: Vec<Vec<Facts>> = vec![Vec::new(); trials.len()];
        for record in records {
            let place = record.place;
            attempts[place].push(record.decode(trials[place], protocol, &self.state)?);
        }
        let known = |(trial, mut attempts): (&&TrainKey, Vec<Facts>)| {
            attempts.sort_unstable_by_key(|attempt| attempt.number);
            let wishes = wishes.get(*trial).copied().unwrap_or_default();
            stand(&attempts, wishes, protocol)
        };
        Ok(trials.iter().zip(attempts).map(known).collect())
    }

    /// Returns all attempts that have not ended, oldest first.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn live_attempts(&self) -> Result<Vec<AttemptRow>, StoreError> {
        let records = sqlx::query_as(
            "SELECT a.*, t.train_key FROM attempt a JOIN trial t ON t.id = a.trial_id
             WHERE a.outcome IS NULL ORDER BY a.id",
        )
        .fetch_all(&self.pool)
        .await;
        self.decode(records)
    }

    /// Returns a trial's attempts by their numbers.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn attempts(&self, trial: &TrainKey) -> Result<Vec<AttemptRow>, StoreError> {
        let records = sqlx::query_as(
            "SELECT a.*, t.train_key FROM attempt a JOIN trial t ON t.id = a.trial_id
             WHERE t.train_key = ? ORDER BY a.number",
        )
        .bind(trial.as_str())
        .fetch_all(&self.pool)
        .await;
        self.decode(records)
    }

    /// Returns the attempts of these trials, in the order in which they began.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn attempts_of(&self, trials: &[TrainKey]) -> Result<Vec<AttemptRow>, StoreError> {
        let records = sqlx::query_as(
            "SELECT a.*, t.train_key FROM attempt a JOIN trial t ON t.id = a.trial_id
             WHERE t.train_key IN (SELECT value FROM json_each(?)) ORDER BY a.id",
        )
        .bind(key_list(trials))
        .fetch_all(&self.pool)
        .await;
        self.decode(records)
    }

    /// Returns the updates of the newest checkpoint that the trial had before this attempt.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn checkpoint_before(&self, attempt: &AttemptRow) -> Result<Option<u64>, StoreError> {
        let update: Option<i64> = sqlx::query_scalar(
            "SELECT a.checkpoint_update FROM attempt a JOIN trial t ON t.id = a.trial_id
             WHERE t.train_key = ? AND a.number < ? AND a.checkpoint_update IS NOT NULL
             ORDER BY a.number DESC LIMIT 1",
        )
        .bind(attempt.train_key.as_str())
        .bind(attempt.number.0)
        .fetch_optional(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(update.map(i64::cast_unsigned))
    }

    /// Returns what the attempt's worker said of itself, once it has.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn started(&self, attempt: i64) -> Result<Option<Started>, StoreError> {
        let text: Option<String> =
            sqlx::query_scalar("SELECT started_json FROM attempt WHERE id = ?")
                .bind(attempt)
                .fetch_optional(&self.pool)
                .await
                .map_err(self.sql())?
                .flatten();
        text.map(|text| json("started_json", &text, || format!("attempt {attempt}"))).transpose()
    }

    /// Returns the trials whose key begins with `prefix`, in the order of their keys.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn find_trials(&self, prefix: &str) -> Result<Vec<TrainKey>, StoreError> {
        // Digits end at `f`; a range uses the index, and no character is special in it.
        let keys: Vec<String> = sqlx::query_scalar(
            "SELECT train_key FROM trial WHERE train_key >= ?1 AND train_key < ?1 || 'g'
             ORDER BY train_key",
        )
        .bind(prefix)
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        keys.into_iter().map(|key| word("train_key", &key, || "a trial".to_owned())).collect()
    }

    /// Returns the digest that the data set at `path` was last measured to have.
    ///
    /// # Errors
    ///
    /// The path is not UTF-8.
    pub async fn dataset_digest(&self, path: &Path) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT digest FROM dataset WHERE path = ?")
            .bind(text(path)?)
            .fetch_optional(&self.pool)
            .await
            .map_err(self.sql())
    }

    fn decode(
        &self,
        records: Result<Vec<AttemptRecord>, sqlx::Error>,
    ) -> Result<Vec<AttemptRow>, StoreError> {
        let records = records.map_err(self.sql())?;
        records.into_iter().map(|record| record.decode(&self.state)).collect()
    }
}
