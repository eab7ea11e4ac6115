//! What sweeps took and what is left of them, worked out again when attempts began or ended; while
//! some run, also because time passes, and then as seldom as working it out costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::error::Refusal;
use super::house::{aside, now_ms};
use super::roster::Roster;
use crate::outlook::{Asked, Costs, Outlook};
use crate::store::Store;
use crate::store::rows::TrialState;

/// How long the time of attempts that run is good for, at least.
const FRESH: Duration = Duration::from_secs(1);

/// The outlooks that were worked out, by their sweeps.
#[derive(Default)]
pub(super) struct Forecasts(Mutex<HashMap<String, Forecast>>);

struct Forecast {
    roster: Arc<Roster>,
    good_until: Instant,
    outlook: Arc<Outlook>,
}

impl Forecast {
    fn is_good_for(&self, roster: &Roster) -> bool {
        let runs = roster.rows.iter().any(|row| row.trial.state == TrialState::Running);
        self.roster.is_as_far_as(roster) && (!runs || Instant::now() < self.good_until)
    }
}

impl Forecasts {
    /// Returns the outlook on a sweep.
    pub(super) async fn of(
        &self,
        store: &Store,
        roster: &Arc<Roster>,
    ) -> Result<Arc<Outlook>, Refusal> {
        // Held while it is worked out, so that many who ask at once have it done once.
        let mut kept = self.0.lock().await;
        if let Some(known) = kept.get(&roster.sweep.name).filter(|known| known.is_good_for(roster))
        {
            return Ok(Arc::clone(&known.outlook));
        }
        let begun = Instant::now();
        let keys: Vec<_> = roster.rows.iter().map(|row| row.trial.train_key.clone()).collect();
        let costs = Costs::read(store, &roster.sweep, &keys, now_ms()).await?;
        let of = Arc::clone(roster);
        let outlook = aside(move || {
            let asked: Vec<Asked<'_>> = of.rows.iter().map(|row| Asked::from(&row.trial)).collect();
            Arc::new(costs.outlook(&asked, &of.sweep.eval_key))
        });
        let outlook = outlook.await?;
        let good_until = Instant::now() + FRESH.max(10 * begun.elapsed());
        let forecast =
            Forecast { roster: Arc::clone(roster), good_until, outlook: Arc::clone(&outlook) };
        kept.insert(roster.sweep.name.clone(), forecast);
        Ok(outlook)
    }
}
