//! What fits a budget: the words of `plan`, and the numbers behind `--budget`.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use super::provenance;
use crate::ids::{Slot, TrainKey};
use crate::outlook::{Asked, Here, Left};
use crate::plan::cost::{DeviceKind, Place};
use crate::schedule::Millis;
use crate::store::rows::TrialState;
use crate::ui::words;

/// Looks at the slots of a run on this machine; of several models the first counts.
pub(super) fn here(slots: &[Slot]) -> Option<Here> {
    let first = slots.first()?;
    let place = Place {
        kind: DeviceKind::of(&first.device),
        model: provenance::model(&first.device),
        threads: first.threads,
    };
    Some(Here { place, slots: u32::try_from(slots.len()).unwrap_or(u32::MAX) })
}

/// Returns whether a run trains such a trial.
pub(super) fn is_to_train(state: TrialState) -> bool {
    match state {
        TrialState::Pending | TrialState::Running | TrialState::Stopped => true,
        TrialState::Trained | TrialState::Done | TrialState::Failed | TrialState::Pruned => false,
    }
}

/// Returns what each trial is expected to take of a budget.
pub(super) fn expected(trials: &[Asked<'_>], lefts: &[Left]) -> HashMap<TrainKey, Millis> {
    let known = |(trial, left): (&Asked<'_>, &Left)| match left {
        Left::Known { seconds, .. } => Some((trial.key.clone(), Millis((seconds * 1000.0) as u64))),
        Left::Nothing | Left::Unknown => None,
    };
    trials.iter().zip(lefts).filter_map(known).collect()
}

/// How much of a sweep a budget has room for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Fit {
    budget_s: f64,
    /// Trials that fit, of those that are left.
    fits: usize,
    left: usize,
    /// Of those left, trials that nothing comparable is known of: they count as nothing.
    unknown: usize,
    /// The same for each seed, in the order of the plan.
    seeds: Vec<SeedFit>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct SeedFit {
    seed: u64,
    fits: usize,
    left: usize,
}

/// Begins trials in their order for as long as the budget has room for the next, as a run does.
pub(super) fn fit(trials: &[Asked<'_>], lefts: &[Left], budget: Duration) -> Fit {
    let budget_s = budget.as_secs_f64();
    let mut fit = Fit { budget_s, fits: 0, left: 0, unknown: 0, seeds: Vec::new() };
    let mut room = Some(budget_s);
    for (trial, left) in trials.iter().zip(lefts) {
        let seconds = match left {
            Left::Nothing => continue,
            Left::Known { seconds, .. } => *seconds,
            Left::Unknown => {
                fit.unknown += 1;
                0.0
            }
        };
        room = room.map(|room| room - seconds).filter(|room| *room >= 0.0);
        let begun = usize::from(room.is_some());
        fit.fits += begun;
        fit.left += 1;
        let seed = trial.run.seed;
        match fit.seeds.iter_mut().find(|known| known.seed == seed) {
            Some(known) => {
                known.fits += begun;
                known.left += 1;
            }
            None => fit.seeds.push(SeedFit { seed, fits: begun, left: 1 }),
        }
    }
    fit
}

impl Fit {
    /// Returns the answer for people.
    pub(super) fn text(&self) -> String {
        let budget = words::duration(Duration::from_secs_f64(self.budget_s));
        let of = words::plural(self.left, "trial");
        if self.left > 0 && self.unknown == self.left {
            return format!(
                "budget: nobody can tell what {budget} is enough for, since nothing comparable ran: --probe measures it\n"
            );
        }
        let mut text =
            format!("budget: {budget} is enough for {} of {of}", words::count(self.fits as u64));
        if self.seeds.len() > 1 {
            let seeds = self.seeds.iter().filter(|seed| seed.fits > 0);
            let seeds = seeds.map(|seed| match seed.left - seed.fits {
                0 => format!("all {} with seed {}", seed.left, seed.seed),
                _ => format!("{} of {} with seed {}", seed.fits, seed.left, seed.seed),
            });
            let seeds: Vec<String> = seeds.collect();
            if !seeds.is_empty() {
                text.push_str(&format!(": {}", seeds.join(", ")));
            }
        }
        if self.unknown > 0 {
            let unknown = words::count(self.unknown as u64);
            text.push_str(&format!("; {unknown} of unknown cost count as nothing"));
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::plan::cost::Basis;

    fn known(hours: f64) -> Left {
        Left::Known { seconds: hours * 3600.0, basis: Basis::SameClass }
    }

    #[test]
    fn a_budget_takes_trials_in_their_order_and_ends_at_the_first_that_does_not_fit() {
        let mut rows = samples::trials();
        for (row, seed) in rows.iter_mut().zip([0, 0, 0, 1, 1, 1]) {
            row.run.seed = seed;
        }
        let trials: Vec<Asked<'_>> = rows[..6].iter().map(Asked::from).collect();
        let lefts = [known(1.0), known(1.0), Left::Nothing, known(1.0), known(9.0), known(0.5)];
        let told = fit(&trials, &lefts, Duration::from_secs(5 * 3600));
        assert_eq!((told.fits, told.left), (3, 5));
        assert_eq!(
            told.text(),
            "budget: 5h 00m is enough for 3 of 5 trials: all 2 with seed 0, 1 of 3 with seed 1\n"
        );
        let hours = Duration::from_secs(5 * 3600);
        let some = [known(1.0), Left::Unknown, Left::Nothing, known(9.0), known(9.0), known(9.0)];
        let text = fit(&trials, &some, hours).text();
        assert!(
            text.ends_with("all 2 with seed 0; 1 of unknown cost count as nothing\n"),
            "{text}"
        );
        let text = fit(&trials, &[Left::Unknown; 6], hours).text();
        assert!(text.contains("nobody can tell") && text.contains("--probe"), "{text}");
    }
}
