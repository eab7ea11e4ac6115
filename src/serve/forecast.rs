//! What sweeps took and what is left of them. It is worked out when somebody looks first, and anew
//! after attempts began or ended, or time passed for those that run: beside those who look, and no
//! more often than a tenth of the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::Refusal;
use super::house::{House, aside, now_ms};
use super::roster::Roster;
use crate::outlook::{Asked, Costs, Outlook};
use crate::store::Store;
use crate::store::rows::TrialState;

/// How long an outlook is good for, at least.
const FRESH: Duration = Duration::from_millis(250);

/// The outlooks that were worked out, by their sweeps.
#[derive(Default)]
pub(super) struct Forecasts(Mutex<HashMap<String, Forecast>>);

struct Forecast {
    roster: Arc<Roster>,
    outlook: Arc<Outlook>,
    due: Instant,
    next: Next,
}

/// Whether an outlook is about to be worked out anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Anew,
}

impl Forecast {
    async fn work_out(store: &Store, roster: Arc<Roster>) -> Result<Self, Refusal> {
        let begun = Instant::now();
        let keys: Vec<_> = roster.rows.iter().map(|row| row.trial.train_key.clone()).collect();
        let costs = Costs::read(store, &roster.sweep, &keys, now_ms()).await?;
        let of = Arc::clone(&roster);
        let outlook = aside(move || {
            let asked: Vec<Asked<'_>> = of.rows.iter().map(|row| Asked::from(&row.trial)).collect();
            Arc::new(costs.outlook(&asked, &of.sweep.eval_key))
        });
        let outlook = outlook.await?;
        let now = Instant::now();
        Ok(Self { roster, outlook, due: now + FRESH.max(10 * (now - begun)), next: Next::Nothing })
    }

    fn is_old(&self, roster: &Roster) -> bool {
        let runs = roster.rows.iter().any(|row| row.trial.state == TrialState::Running);
        !self.roster.is_as_far_as(roster) || (runs && Instant::now() > self.due)
    }
}

/// Returns the outlook on a sweep: the one there is, even if it is old. Then it is worked out anew
/// without anybody waiting for it.
pub(super) async fn of(house: &House, roster: &Arc<Roster>) -> Result<Arc<Outlook>, Refusal> {
    let name = &roster.sweep.name;
    // Held while the first one is worked out, so that many who ask at once have it done once.
    let mut kept = house.forecasts.0.lock().await;
    let Some(known) = kept.get_mut(name) else {
        let first = Forecast::work_out(&house.store, Arc::clone(roster)).await?;
        let outlook = Arc::clone(&first.outlook);
        kept.insert(name.clone(), first);
        return Ok(outlook);
    };
    if known.next == Next::Nothing && known.is_old(roster) {
        known.next = Next::Anew;
        tokio::spawn(anew(house.clone(), name.clone(), known.due));
    }
    Ok(Arc::clone(&known.outlook))
}

/// Works out the outlook on a sweep anew as soon as it may be. All who watch are told of what
/// happened; that time passes is no news.
async fn anew(house: House, name: String, due: Instant) {
    tokio::time::sleep_until(due).await;
    let now = match house.roster(&name).await {
        Ok(roster) => Forecast::work_out(&house.store, roster).await,
        Err(refusal) => Err(refusal),
    };
    let mut kept = house.forecasts.0.lock().await;
    let before = kept.remove(&name);
    // Whoever looks next is told why there is none.
    let Ok(now) = now else { return };
    if before.is_none_or(|before| !before.roster.is_as_far_as(&now.roster)) {
        house.pulse.tell();
    }
    kept.insert(name, now);
}
