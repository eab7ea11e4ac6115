//! How values lie in columns. Knows no SQL.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::de::value::Error as WordError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::StoreError;
use super::rows::{AttemptKind, AttemptRow};
use crate::ids::{AttemptNo, EvalKey, TrainKey};
use crate::outcome::Outcome;

/// An attempt as the table has it.
#[derive(FromRow)]
pub(super) struct AttemptRecord {
    id: i64,
    #[sqlx(try_from = "String")]
    train_key: TrainKey,
    kind: String,
    #[sqlx(try_from = "String")]
    eval_key: EvalKey,
    number: u32,
    device_json: String,
    threads: u32,
    folder: String,
    handle_json: Option<String>,
    events_offset: i64,
    events_seq: i64,
    started_ms: i64,
    heard_ms: Option<i64>,
    ended_ms: Option<i64>,
    #[sqlx(flatten)]
    outcome: OutcomeColumns,
}

impl AttemptRecord {
    /// Reads the columns; folders are below `state`.
    pub(super) fn decode(self, state: &Path) -> Result<AttemptRow, StoreError> {
        let name = || format!("attempt {}", self.id);
        Ok(AttemptRow {
            kind: word("kind", &self.kind, name)?,
            device: json("device_json", &self.device_json, name)?,
            outcome: self.outcome.decode(name)?,
            folder: state.join(self.folder),
            events_offset: self.events_offset.cast_unsigned(),
            events_seq: self.events_seq.cast_unsigned(),
            id: self.id,
            train_key: self.train_key,
            eval_key: self.eval_key,
            number: AttemptNo(self.number),
            threads: self.threads,
            handle_json: self.handle_json,
            started_ms: self.started_ms,
            heard_ms: self.heard_ms,
            ended_ms: self.ended_ms,
        })
    }
}

/// An [`Outcome`], spread over columns; all empty while the attempt lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, FromRow)]
pub(super) struct OutcomeColumns {
    pub(super) outcome: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
}

impl OutcomeColumns {
    /// Spreads an outcome.
    pub(super) fn encode(outcome: &Outcome) -> Self {
        let named = |outcome: &str| Self { outcome: Some(outcome.into()), ..Self::default() };
        match outcome {
            Outcome::Finished { verdict } => {
                Self { verdict: Some(verdict.as_str().into()), ..named("finished") }
            }
            Outcome::Stopped => named("stopped"),
            Outcome::Failed { reason, detail } => Self {
                reason: Some(reason.as_str().into()),
                detail: Some(detail.clone()),
                ..named("failed")
            },
        }
    }

    /// Gathers an outcome; `of` names the row in errors.
    pub(super) fn decode(
        &self,
        of: impl Fn() -> String + Copy,
    ) -> Result<Option<Outcome>, StoreError> {
        let Some(outcome) = self.outcome.as_deref() else { return Ok(None) };
        let outcome = match (outcome, &self.verdict, &self.reason, &self.detail) {
            ("finished", Some(verdict), None, None) => {
                Outcome::Finished { verdict: word("verdict", verdict, of)? }
            }
            ("stopped", None, None, None) => Outcome::Stopped,
            ("failed", None, Some(reason), Some(detail)) => {
                Outcome::Failed { reason: word("reason", reason, of)?, detail: detail.clone() }
            }
            _ => return Err(bad("outcome", of(), format!("`{outcome}`"))),
        };
        Ok(Some(outcome))
    }
}

/// Returns the word of a kind.
pub(super) fn kind_word(kind: AttemptKind) -> &'static str {
    match kind {
        AttemptKind::Train => "train",
        AttemptKind::Eval => "eval",
    }
}

/// Reads a variant's word.
pub(super) fn word<T: for<'de> Deserialize<'de>>(
    column: &'static str,
    text: &str,
    of: impl Fn() -> String,
) -> Result<T, StoreError> {
    T::deserialize(text.into_deserializer())
        .map_err(|error: WordError| bad(column, of(), error.to_string()))
}

/// Reads JSON.
pub(super) fn json<T: DeserializeOwned>(
    column: &'static str,
    text: &str,
    of: impl Fn() -> String,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| bad(column, of(), error.to_string()))
}

/// Writes JSON of plain data.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data serialises")
}

/// Returns keys, each once, in the order in which they first come.
pub(super) fn once(keys: &[TrainKey]) -> Vec<&TrainKey> {
    let mut seen = HashSet::new();
    keys.iter().filter(|key| seen.insert(*key)).collect()
}

/// Writes keys, each once, as the JSON array that queries take for a list.
pub(super) fn key_list(keys: &[TrainKey]) -> String {
    to_json(&once(keys))
}

/// Makes a count fit SQLite's signed integers.
pub(super) fn signed(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { what, value })
}

/// Makes a path text.
pub(super) fn text(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| StoreError::PathNotText { path: PathBuf::from(path) })
}

fn bad(column: &'static str, of: String, cause: String) -> StoreError {
    StoreError::BadValue { column, of, cause }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{FailureReason, Verdict};

    #[test]
    fn every_outcome_comes_back() {
        let reasons = [
            FailureReason::SpecRejected,
            FailureReason::LaunchFailed,
            FailureReason::OutOfMemory,
            FailureReason::Panicked,
            FailureReason::DeadlineHit,
            FailureReason::NoProgress,
            FailureReason::Killed,
            FailureReason::Lost,
            FailureReason::ProtocolBroken,
            FailureReason::DiskFull,
            FailureReason::IoError,
        ];
        let failures =
            reasons.map(|reason| Outcome::Failed { reason, detail: "line\nwith 'quotes'".into() });
        let others = [
            Outcome::Finished { verdict: Verdict::Healthy },
            Outcome::Finished { verdict: Verdict::Diverged },
            Outcome::Finished { verdict: Verdict::Collapsed },
            Outcome::Stopped,
        ];
        for outcome in failures.into_iter().chain(others) {
            let columns = OutcomeColumns::encode(&outcome);
            assert_eq!(columns.decode(String::new).unwrap(), Some(outcome));
        }
        assert_eq!(OutcomeColumns::default().decode(String::new).unwrap(), None);
    }

    #[test]
    fn an_outcome_of_a_later_version_is_an_error_and_not_a_guess() {
        let columns = OutcomeColumns {
            reason: Some("abducted".into()),
            ..OutcomeColumns::encode(&Outcome::Failed {
                reason: FailureReason::Lost,
                detail: String::new(),
            })
        };
        let error = columns.decode(|| "attempt 3".into()).unwrap_err().to_string();
        assert!(error.contains("bad reason of attempt 3"), "{error}");
    }
}
