//! What people ask of trials and sweeps beyond what a sweep file says. Each wish is one transaction;
//! asking twice changes nothing more.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::columns::key_list;
use super::{Store, StoreError};
use crate::ids::TrainKey;

/// A durable wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Nothing of these trials starts until they are released.
    Hold {
        /// The trials.
        trials: Vec<TrainKey>,
    },
    /// They may start again.
    Release {
        /// The trials.
        trials: Vec<TrainKey>,
    },
    /// Their failures so far no longer count.
    Pardon {
        /// The trials.
        trials: Vec<TrainKey>,
    },
    /// They get and lose names.
    Tag {
        /// The trials.
        trials: Vec<TrainKey>,
        /// Names to have.
        add: Vec<String>,
        /// Names not to have.
        remove: Vec<String>,
    },
    /// The sweep is hidden; its trials and their results stay.
    Remove {
        /// Its name.
        sweep: String,
    },
    /// A removed sweep is seen again.
    Restore {
        /// Its name.
        sweep: String,
    },
}

impl Store {
    /// Grants a wish and returns how many rows it changed: trials, tags or sweeps.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn edit(&self, edit: &Edit, now_ms: i64) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.sql())?;
        let changed = apply(&mut tx, edit, now_ms).await.map_err(self.sql())?;
        tx.commit().await.map_err(self.sql())?;
        Ok(changed)
    }
}

async fn apply(tx: &mut SqliteConnection, edit: &Edit, now_ms: i64) -> Result<u64, sqlx::Error> {
    let query = match edit {
        Edit::Hold { trials } => sqlx::query(
            "UPDATE trial SET held_ms = ? WHERE held_ms IS NULL
             AND train_key IN (SELECT value FROM json_each(?))",
        )
        .bind(now_ms)
        .bind(key_list(trials)),
        Edit::Release { trials } => sqlx::query(
            "UPDATE trial SET held_ms = NULL WHERE held_ms IS NOT NULL
             AND train_key IN (SELECT value FROM json_each(?))",
        )
        .bind(key_list(trials)),
        Edit::Pardon { trials } => sqlx::query(
            "UPDATE trial SET pardoned = last FROM (
                 SELECT trial_id, max(number) AS last FROM attempt
                 WHERE outcome IS NOT NULL GROUP BY trial_id
             ) WHERE trial_id = trial.id AND pardoned < last
             AND train_key IN (SELECT value FROM json_each(?))",
        )
        .bind(key_list(trials)),
        Edit::Tag { trials, add, remove } => return tag(tx, trials, add, remove).await,
        Edit::Remove { sweep } => {
            sqlx::query("UPDATE sweep SET removed_ms = ? WHERE name = ? AND removed_ms IS NULL")
                .bind(now_ms)
                .bind(sweep)
        }
        Edit::Restore { sweep } => sqlx::query(
            "UPDATE sweep SET removed_ms = NULL WHERE name = ? AND removed_ms IS NOT NULL",
        )
        .bind(sweep),
    };
    Ok(query.execute(tx).await?.rows_affected())
}

async fn tag(
    tx: &mut SqliteConnection,
    trials: &[TrainKey],
    add: &[String],
    remove: &[String],
) -> Result<u64, sqlx::Error> {
    let mut changed = 0;
    for name in remove {
        let gone = sqlx::query(
            "DELETE FROM tag WHERE name = ? AND trial_id IN
             (SELECT id FROM trial WHERE train_key IN (SELECT value FROM json_each(?)))",
        );
        changed += gone.bind(name).bind(key_list(trials)).execute(&mut *tx).await?.rows_affected();
    }
    for name in add {
        let new = sqlx::query(
            "INSERT INTO tag (trial_id, name)
             SELECT id, ? FROM trial WHERE train_key IN (SELECT value FROM json_each(?))
             ON CONFLICT DO NOTHING",
        );
        changed += new.bind(name).bind(key_list(trials)).execute(&mut *tx).await?.rows_affected();
    }
    Ok(changed)
}
