//! Measured values out of the store: what reports and estimates need.

use std::collections::{BTreeMap, HashMap};

use super::columns::{key_list, once, to_json, word};
use super::rows::{Finals, NoteRow, Series};
use super::{Store, StoreError};
use crate::ids::{AttemptNo, EvalKey, TrainKey};

impl Store {
    /// Returns a metric over the updates of each trial that has it, in the order asked for. Where
    /// an update was trained twice, before a kill and after the resume, the highest attempt counts.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn series(
        &self,
        metric: &str,
        trials: &[TrainKey],
    ) -> Result<Vec<Series>, StoreError> {
        // The place in the list is told for each row, and not the key: there are millions of them.
        let rows: Vec<(i64, i64, f64)> = sqlx::query_as(
            "SELECT asked.key, m.step, m.value
             FROM json_each(?) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a ON a.trial_id = t.id
             CROSS JOIN metric m ON m.attempt_id = a.id
                 AND m.name_id = (SELECT id FROM metric_name WHERE name = ?)
             ORDER BY asked.key, m.step, a.number",
        )
        .bind(key_list(trials))
        .bind(metric)
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let mut all: Vec<Series> = Vec::new();
        for of_one in rows.chunk_by(|one, next| one.0 == next.0) {
            let place = usize::try_from(of_one[0].0).unwrap_or(usize::MAX);
            let Some(train_key) = trials.get(place).cloned() else { continue };
            let mut points: Vec<(u64, f64)> = Vec::with_capacity(of_one.len());
            for (_, step, value) in of_one {
                let step = step.cast_unsigned();
                match points.last_mut() {
                    Some(last) if last.0 == step => last.1 = *value,
                    Some(_) | None => points.push((step, *value)),
                }
            }
            all.push(Series { train_key, points });
        }
        Ok(all)
    }

    /// Returns the names of all metrics that any of the trials has, sorted.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn metric_names(&self, trials: &[TrainKey]) -> Result<Vec<String>, StoreError> {
        // Looks for one row of each name instead of going through all of them.
        sqlx::query_scalar(
            "SELECT n.name FROM metric_name n
             WHERE EXISTS (
                 SELECT 1
                 FROM json_each(?) AS asked
                 CROSS JOIN trial t ON t.train_key = asked.value
                 CROSS JOIN attempt a ON a.trial_id = t.id
                 CROSS JOIN metric m ON m.attempt_id = a.id AND m.name_id = n.id)
             ORDER BY n.name",
        )
        .bind(key_list(trials))
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())
    }

    /// Returns the final values by `protocol` of each trial that has them, in the order asked for:
    /// those of its highest finished attempt with this protocol.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn finals(
        &self,
        protocol: &EvalKey,
        trials: &[TrainKey],
    ) -> Result<Vec<Finals>, StoreError> {
        let asked = once(trials);
        // The place in the list is told for each row, and not the key: there are several a trial.
        let mut rows: Vec<(i64, u32, Option<String>, Option<f64>)> = sqlx::query_as(
            "SELECT asked.key, a.number, e.name, e.value
             FROM json_each(?) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a
                 ON a.trial_id = t.id AND a.eval_key = ? AND a.outcome = 'finished'
             LEFT JOIN evaluation e ON e.attempt_id = a.id",
        )
        .bind(to_json(&asked))
        .bind(protocol.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        rows.sort_by_key(|(place, number, _, _)| (*place, *number));
        let of_one = |rows: &[(i64, u32, Option<String>, Option<f64>)]| {
            let (place, highest, _, _) = rows.last()?;
            let train_key = (*asked.get(usize::try_from(*place).ok()?)?).clone();
            let counting = rows.iter().filter(|(_, number, _, _)| number == highest);
            let values: BTreeMap<String, f64> =
                counting.filter_map(|(_, _, name, value)| name.clone().zip(*value)).collect();
            (!values.is_empty()).then_some(Finals { train_key, values })
        };
        Ok(rows.chunk_by(|one, next| one.0 == next.0).filter_map(of_one).collect())
    }

    /// Returns the seconds that training took, for each trial that finished it: the sum over its
    /// training attempts, interrupted ones included, since each did a part.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn attempt_seconds(
        &self,
        trials: &[TrainKey],
    ) -> Result<HashMap<TrainKey, f64>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT t.train_key, sum(a.ended_ms - a.started_ms)
             FROM json_each(?) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a ON a.trial_id = t.id
             WHERE a.kind = 'train' AND a.outcome IS NOT NULL
             GROUP BY t.train_key
             HAVING max(a.outcome = 'finished') = 1",
        )
        .bind(key_list(trials))
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        rows.into_iter().map(|(key, ms)| Ok((parse(&key)?, ms as f64 / 1000.0))).collect()
    }

    /// Returns what a trial's workers left for people, in the order it was said.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn notes(&self, trial: &TrainKey) -> Result<Vec<NoteRow>, StoreError> {
        let rows: Vec<(u32, i64, String)> = sqlx::query_as(
            "SELECT a.number, n.at_ms, n.text
             FROM note n
             JOIN attempt a ON a.id = n.attempt_id
             JOIN trial t ON t.id = a.trial_id
             WHERE t.train_key = ?
             ORDER BY a.number, n.seq",
        )
        .bind(trial.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let note = |(number, at_ms, text)| NoteRow { attempt: AttemptNo(number), at_ms, text };
        Ok(rows.into_iter().map(note).collect())
    }
}

fn parse(key: &str) -> Result<TrainKey, StoreError> {
    word("train_key", key, || "a trial".to_owned())
}
