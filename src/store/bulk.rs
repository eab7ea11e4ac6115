//! Many rows as one. sqlx copies each value of a row and hands it from thread to thread, which for
//! ten thousand rows is most of what a query takes; one text of JSON it copies once.
//!
//! Only texts and whole numbers come this way: SQLite writes 15 digits of a float into JSON.

use serde::de::DeserializeOwned;
use sqlx::Sqlite;
use sqlx::query::QueryScalar;
use sqlx::sqlite::SqliteArguments;

use super::{Store, StoreError};

/// A query whose one value is a JSON array with an array a row, as
/// `SELECT json_group_array(json_array(...))` makes it.
pub(super) type Bulk<'q> = QueryScalar<'q, Sqlite, String, SqliteArguments>;

impl Store {
    /// Reads all rows of `table`, which errors name. They are decoded on a thread of their own, so that
    /// the connection is free for the next query meanwhile.
    pub(super) async fn bulk<T: DeserializeOwned + Send + 'static>(
        &self,
        table: &'static str,
        query: Bulk<'_>,
    ) -> Result<Vec<T>, StoreError> {
        let text = query.fetch_one(&self.pool).await.map_err(self.sql())?;
        let decoding = tokio::task::spawn_blocking(move || {
            serde_json::from_str(&text).map_err(|error| StoreError::BadValue {
                column: "value",
                of: format!("a row of {table}"),
                cause: error.to_string(),
            })
        });
        decoding.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}
