//! The rosters of the sweeps that somebody looks at, kept between requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::roster::Roster;
use crate::store::{Store, StoreError};

/// How long one is kept that nobody asks for. A page that is watched asks far more often.
const IDLE: Duration = Duration::from_mins(10);

/// The rosters of the sweeps that were asked for, by name, as of when they were.
pub(super) struct Rosters {
    idle: Duration,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    /// Of which state of the database it is.
    version: i64,
    roster: Arc<Roster>,
    asked: Instant,
}

impl Default for Rosters {
    fn default() -> Self {
        Self { idle: IDLE, kept: Mutex::default() }
    }
}

impl Rosters {
    /// Returns a sweep's trials as they are now; nothing where there is no such sweep.
    pub(super) async fn of(
        &self,
        store: &Store,
        name: &str,
    ) -> Result<Option<Arc<Roster>>, StoreError> {
        // Held while it is read, so that many who ask at once have it read once.
        let mut kept = self.kept.lock().await;
        let asked = Instant::now();
        kept.retain(|_, kept| asked - kept.asked < self.idle);
        // Before anything is read: what is read after it is at least as new.
        let version = store.data_version().await?;
        if let Some(kept) = kept.get_mut(name).filter(|kept| kept.version == version) {
            kept.asked = asked;
            return Ok(Some(Arc::clone(&kept.roster)));
        }
        store.check_schema().await?;
        let Some(sweep) = store.sweep(name).await? else {
            kept.remove(name);
            return Ok(None);
        };
        let roster = match kept.get(name) {
            Some(kept) => kept.roster.refreshed(store, sweep).await?,
            None => Roster::read(store, sweep).await?,
        };
        let roster = Arc::new(roster);
        kept.insert(name.to_owned(), Kept { version, roster: Arc::clone(&roster), asked });
        Ok(Some(roster))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Limit, Request, expand};
    use crate::spec;
    use crate::store::Edit;

    /// Each of these sweeps asks for four trials.
    const SWEEPS: [&str; 2] = ["a", "b"];

    async fn store() -> Store {
        let store = Store::in_memory().await.unwrap();
        for name in SWEEPS {
            let text = format!(
                "schema = 1\nname = \"{name}\"\n[base]\ndata.name = \"shapes\"\n\
                 [replicates]\nseeds = [0, 1, 2, 3]\n"
            );
            let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
            let plan = expand(&spec::parse("tiny.toml", &text).unwrap(), &request).unwrap();
            store.sync_plan(&plan, 1).await.unwrap();
        }
        store
    }

    async fn names(rosters: &Rosters) -> Vec<String> {
        let mut names: Vec<String> = rosters.kept.lock().await.keys().cloned().collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn what_did_not_change_is_not_read_again() {
        let (store, rosters) = (store().await, Rosters::default());
        let first = rosters.of(&store, "a").await.unwrap().unwrap();
        assert_eq!(first.rows.len(), 4);
        rosters.of(&store, "b").await.unwrap().unwrap();
        let again = rosters.of(&store, "a").await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(names(&rosters).await, SWEEPS);
    }

    #[tokio::test]
    async fn a_sweep_that_was_removed_is_kept_no_longer() {
        let (store, rosters) = (store().await, Rosters::default());
        rosters.of(&store, "a").await.unwrap().unwrap();
        store.edit(&Edit::Remove { sweep: "a".into() }, 2).await.unwrap();
        // The only connection of a store in memory does not see that it wrote itself.
        rosters.kept.lock().await.get_mut("a").unwrap().version -= 1;
        assert!(rosters.of(&store, "a").await.unwrap().is_none());
        assert!(rosters.of(&store, "none").await.unwrap().is_none());
        assert_eq!(names(&rosters).await, [""; 0]);
    }

    #[tokio::test]
    async fn one_that_nobody_asks_for_is_kept_no_longer() {
        let (store, rosters) =
            (store().await, Rosters { idle: Duration::ZERO, ..Rosters::default() });
        for name in SWEEPS {
            rosters.of(&store, name).await.unwrap().unwrap();
            assert_eq!(names(&rosters).await, [name]);
        }
    }
}
