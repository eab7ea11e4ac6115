//! The end of an attempt in one transaction: what it told last, and its outcome.

use super::{Store, StoreError};
use crate::failpoint::{self, Point};
use crate::outcome::Outcome;
use crate::protocol::EventLine;

/// The last events of an attempt and the place in its file that they reach.
#[derive(Clone, Copy, Debug)]
pub struct LastLines<'a> {
    /// The events.
    pub lines: &'a [EventLine],
    /// Bytes of the file up to the end of the last line.
    pub offset: u64,
    /// `seq` of the last line.
    pub seq: u64,
}

impl Store {
    /// Stores events as [`append`](Self::append) and an outcome as
    /// [`end_attempt`](Self::end_attempt) do, both or neither.
    ///
    /// # Errors
    ///
    /// Those of the two.
    pub async fn finish_attempt(
        &self,
        attempt: i64,
        told: LastLines<'_>,
        outcome: &Outcome,
        ended_ms: i64,
    ) -> Result<(), StoreError> {
        failpoint::reach(Point::AttemptJudged);
        let LastLines { lines, offset, seq } = told;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.sql())?;
        // It fails where the attempt does not exist or has ended.
        self.append_within(&mut tx, attempt, lines, offset, seq).await?;
        self.end_within(&mut *tx, attempt, outcome, ended_ms).await?;
        failpoint::reach(Point::AttemptUnended);
        tx.commit().await.map_err(self.sql())?;
        failpoint::reach(Point::AttemptEnded);
        Ok(())
    }
}
