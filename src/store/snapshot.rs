//! Reading one state of the store over many queries, while its writer goes on.

use super::{Store, StoreError};

impl Store {
    /// Makes all later reads of this store, until it is closed, see the state of now. For a store
    /// that is opened to read: its one connection holds the transaction.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn freeze(&self) -> Result<(), StoreError> {
        sqlx::query("BEGIN").execute(&self.pool).await.map_err(self.sql())?;
        // The snapshot is taken by the first read.
        sqlx::query("SELECT count(*) FROM sweep").execute(&self.pool).await.map_err(self.sql())?;
        Ok(())
    }
}
