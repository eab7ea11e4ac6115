//! The rosters of the sweeps that were asked for, kept between requests.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::roster::Roster;
use crate::store::{Store, StoreError};

/// How many trials are kept, of all sweeps together. The sweep that was asked for last is kept
/// however many it has.
const TRIALS: usize = 100_000;

/// The rosters of the sweeps that were asked for, as of when they were.
#[derive(Default)]
pub(super) struct Rosters {
    /// By when they were asked for: the last one last.
    kept: Mutex<Vec<Kept>>,
}

/// A roster, and of which state of the database it is.
struct Kept {
    version: i64,
    roster: Arc<Roster>,
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
        // Before anything is read: what is read after it is at least as new.
        let version = store.data_version().await?;
        let place = kept.iter().position(|kept| kept.roster.sweep.name == name);
        let known = place.map(|place| kept.remove(place));
        let now = match known {
            Some(known) if known.version == version => known,
            known => {
                store.check_schema().await?;
                let Some(sweep) = store.sweep(name).await? else { return Ok(None) };
                let roster = match known {
                    Some(known) => known.roster.refreshed(store, sweep).await?,
                    None => Roster::read(store, sweep).await?,
                };
                Kept { version, roster: Arc::new(roster) }
            }
        };
        let roster = Arc::clone(&now.roster);
        kept.push(now);
        forget(&mut kept, TRIALS);
        Ok(Some(roster))
    }
}

/// Drops those that were not asked for longest, where there are more than so many trials.
fn forget(kept: &mut Vec<Kept>, most: usize) {
    let mut trials = 0;
    let within = kept.iter().rev().take_while(|kept| {
        trials += kept.roster.rows.len();
        trials <= most
    });
    let within = within.count().max(1);
    kept.drain(..kept.len().saturating_sub(within));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Limit, Request, expand};
    use crate::spec;
    use crate::store::Edit;

    /// Each of these sweeps asks for four trials.
    const SWEEPS: [&str; 3] = ["a", "b", "c"];

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
        let kept = rosters.kept.lock().await;
        kept.iter().map(|kept| kept.roster.sweep.name.clone()).collect()
    }

    #[tokio::test]
    async fn what_did_not_change_is_not_read_again() {
        let (store, rosters) = (store().await, Rosters::default());
        let first = rosters.of(&store, "a").await.unwrap().unwrap();
        assert_eq!(first.rows.len(), 4);
        rosters.of(&store, "b").await.unwrap().unwrap();
        let again = rosters.of(&store, "a").await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(names(&rosters).await, ["b", "a"]);
    }

    #[tokio::test]
    async fn a_sweep_that_was_removed_is_kept_no_longer() {
        let (store, rosters) = (store().await, Rosters::default());
        rosters.of(&store, "a").await.unwrap().unwrap();
        store.edit(&Edit::Remove { sweep: "a".into() }, 2).await.unwrap();
        // The only connection of a store in memory does not see that it wrote itself.
        rosters.kept.lock().await[0].version -= 1;
        assert!(rosters.of(&store, "a").await.unwrap().is_none());
        assert!(rosters.of(&store, "none").await.unwrap().is_none());
        assert_eq!(names(&rosters).await, [""; 0]);
    }

    #[tokio::test]
    async fn of_many_trials_those_of_the_sweeps_asked_for_last_are_kept() {
        let store = store().await;
        for (most, kept) in
            [(12, &["a", "b", "c"][..]), (11, &["b", "c"]), (8, &["b", "c"]), (0, &["c"])]
        {
            let rosters = Rosters::default();
            for name in SWEEPS {
                rosters.of(&store, name).await.unwrap().unwrap();
            }
            forget(&mut *rosters.kept.lock().await, most);
            assert_eq!(names(&rosters).await, kept, "{most}");
        }
    }
}
