//! What sweeps took and what is left of them, worked out anew after attempts began or ended, or time
//! passed for those that run.

use std::sync::Arc;

use super::error::Refusal;
use super::house::{House, aside};
use super::latest::Work;
use super::roster::Roster;
use crate::outlook::{Asked, Costs, Outlook};
use crate::store::rows::TrialState;

/// An outlook and what it was made of.
pub(super) struct Forecast {
    roster: Arc<Roster>,
    outlook: Arc<Outlook>,
}

/// The outlook on a sweep, with its trials as they are now.
#[derive(Clone)]
pub(super) struct Foresee {
    house: House,
    roster: Arc<Roster>,
}

impl Work for Foresee {
    type Out = Forecast;

    async fn work_out(self, _before: Option<Arc<Forecast>>) -> Result<Forecast, Refusal> {
        let Self { house, roster } = self;
        let roster = house.roster(&roster.sweep.name).await?;
        let keys: Vec<_> = roster.rows.iter().map(|row| row.trial.train_key.clone()).collect();
        let costs = Costs::read(&house.store, &roster.sweep, &keys).await?;
        let of = Arc::clone(&roster);
        let outlook = aside(move || {
            let asked: Vec<Asked<'_>> = of.rows.iter().map(|row| Asked::from(&row.trial)).collect();
            Arc::new(costs.outlook(&asked, &of.sweep.eval_key))
        });
        Ok(Forecast { outlook: outlook.await?, roster })
    }

    fn is_old(&self, known: &Forecast) -> bool {
        let runs = self.roster.rows.iter().any(|row| row.trial.state == TrialState::Running);
        runs || !known.roster.is_as_far_as(&self.roster)
    }

    /// That time passes is no news.
    fn is_news(before: &Forecast, now: &Forecast) -> bool {
        !before.roster.is_as_far_as(&now.roster)
    }

    fn tell(&self) {
        self.house.pulse.tell();
    }
}

/// Returns the outlook on a sweep: the one there is, even if it is old. Then it is worked out anew
/// without anybody waiting for it.
pub(super) async fn of(house: &House, roster: &Arc<Roster>) -> Result<Arc<Outlook>, Refusal> {
    let foresee = Foresee { house: house.clone(), roster: Arc::clone(roster) };
    let known = house.forecasts.of(&roster.sweep.name, foresee).await?;
    Ok(Arc::clone(&known.outlook))
}
