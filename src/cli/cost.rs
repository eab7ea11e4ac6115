//! What a sweep took, what is left of it, and when that is done: the words of `plan` and `status`,
//! and the numbers behind `--budget`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::provenance;
use super::reading::Reading;
use crate::ids::{EvalKey, GroupKey, Slot, TrainKey};
use crate::plan::PlannedTrial;
use crate::plan::cost::{Basis, DeviceKind, Estimate, History, Place};
use crate::schedule::Millis;
use crate::spec::run::RunSpec;
use crate::store::Spent;
use crate::store::rows::{SweepRow, TrialRow, TrialState};
use crate::ui::words;

/// Where what is left will run.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub place: Place,
    /// Attempts at a time.
    pub slots: u32,
}

impl Here {
    /// Looks at the slots of a run on this machine; of several models the first counts.
    pub(super) fn of_slots(slots: &[Slot]) -> Option<Self> {
        let first = slots.first()?;
        let place = Place {
            kind: DeviceKind::of(&first.device),
            model: provenance::model(&first.device),
            threads: first.threads,
        };
        Some(Self { place, slots: u32::try_from(slots.len()).unwrap_or(u32::MAX) })
    }

    /// Takes it that a sweep goes on where it ran last; `None` where it never ran.
    pub(super) fn of_sweep(reading: &Reading, sweep: &SweepRow) -> anyhow::Result<Option<Self>> {
        let Some(last) = reading.wait(reading.store.last_invocation(sweep.id))? else {
            return Ok(None);
        };
        let made_with = last.provenance;
        Ok(made_with.devices.first().map(|device| Self {
            place: Place {
                kind: DeviceKind::of(&device.id),
                model: device.model.clone(),
                threads: made_with.threads,
            },
            slots: made_with.slots,
        }))
    }
}

/// A trial that a sweep asks for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub key: &'a TrainKey,
    pub group: &'a GroupKey,
    pub run: &'a RunSpec,
    pub state: TrialState,
}

impl<'a> Asked<'a> {
    pub(super) fn planned(trial: &'a PlannedTrial, state: TrialState) -> Self {
        let PlannedTrial { train_key, group_key, run, .. } = trial;
        Self { key: train_key, group: group_key, run, state }
    }
}

impl<'a> From<&'a TrialRow> for Asked<'a> {
    fn from(trial: &'a TrialRow) -> Self {
        let TrialRow { train_key, group_key, run, state, .. } = trial;
        Self { key: train_key, group: group_key, run, state: *state }
    }
}

/// What is left of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Left {
    /// Nothing that a run does by itself.
    Nothing,
    /// So many seconds.
    Known { seconds: f64, basis: Basis },
    /// Nothing comparable ever ran.
    Unknown,
}

/// Time of attempts on one kind of device, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Hours {
    kind: DeviceKind,
    train_s: f64,
    eval_s: f64,
}

/// What a sweep took and will take.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outlook {
    pub spent: Vec<Hours>,
    /// `None` where it is not known what the rest would run on.
    pub rest: Option<Rest>,
}

/// What is left of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Rest {
    kind: DeviceKind,
    /// Expected, of the trials that anything is known of.
    seconds: f64,
    /// Trials by what their estimate is made from.
    bases: BTreeMap<Basis, usize>,
    /// Trials that nothing comparable is known of.
    unknown: usize,
    slots: u32,
    /// Until all is done, if all of it is known.
    pub seconds_to_go: Option<f64>,
}

/// Sums up what the trials took, and what is left of them.
pub(super) fn outlook(
    trials: &[Asked<'_>],
    spent: &[Spent],
    lefts: Option<(&[Left], &Here)>,
) -> Outlook {
    let mut hours: BTreeMap<DeviceKind, Hours> = BTreeMap::new();
    for one in spent {
        let kind = one.kind;
        let sum = hours.entry(kind).or_insert(Hours { kind, train_s: 0.0, eval_s: 0.0 });
        sum.train_s += one.train_ms as f64 / 1000.0;
        sum.eval_s += one.eval_ms as f64 / 1000.0;
    }
    debug_assert!(lefts.is_none_or(|(lefts, _)| lefts.len() == trials.len()));
    let rest = lefts.map(|(lefts, here)| rest(lefts, here));
    Outlook { spent: hours.into_values().collect(), rest }
}

fn rest(lefts: &[Left], here: &Here) -> Rest {
    let mut rest = Rest {
        kind: here.place.kind,
        seconds: 0.0,
        bases: BTreeMap::new(),
        unknown: 0,
        slots: here.slots,
        seconds_to_go: None,
    };
    let mut longest = 0.0_f64;
    for left in lefts {
        match left {
            Left::Nothing => {}
            Left::Known { seconds, basis } => {
                rest.seconds += seconds;
                longest = longest.max(*seconds);
                *rest.bases.entry(*basis).or_default() += 1;
            }
            Left::Unknown => rest.unknown += 1,
        }
    }
    // One trial takes its time, however many slots there are.
    let to_go = (rest.seconds / f64::from(here.slots.max(1))).max(longest);
    rest.seconds_to_go = (rest.unknown == 0).then_some(to_go);
    rest
}

/// Returns whether a run trains such a trial.
pub(super) fn is_to_train(state: TrialState) -> bool {
    match state {
        TrialState::Pending | TrialState::Running | TrialState::Stopped => true,
        TrialState::Trained | TrialState::Done | TrialState::Failed | TrialState::Pruned => false,
    }
}

/// Returns what is left of each trial.
pub(super) fn lefts(
    trials: &[Asked<'_>],
    eval_key: &EvalKey,
    history: &History,
    spent: &[Spent],
) -> Vec<Left> {
    let mut by_trial: HashMap<&TrainKey, f64> = HashMap::new();
    for one in spent {
        *by_trial.entry(&one.train_key).or_default() += one.train_ms as f64 / 1000.0;
    }
    let left = |trial: &Asked<'_>| {
        let expected = || history.expect(trial.run, trial.group, eval_key);
        let told = |expected: Option<Estimate>, seconds: fn(Estimate) -> f64, spent: f64| {
            expected.map_or(Left::Unknown, |estimate| Left::Known {
                seconds: (seconds(estimate) - spent).max(0.0),
                basis: estimate.basis,
            })
        };
        match trial.state {
            TrialState::Done | TrialState::Failed | TrialState::Pruned => Left::Nothing,
            TrialState::Trained => told(expected(), |estimate| estimate.eval_s, 0.0),
            TrialState::Pending | TrialState::Running | TrialState::Stopped => {
                let spent = by_trial.get(trial.key).copied().unwrap_or(0.0);
                told(expected(), |estimate| estimate.seconds(), spent)
            }
        }
    };
    trials.iter().map(left).collect()
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

impl Outlook {
    /// Returns the cost for people; nothing where there is nothing to tell.
    pub(super) fn text(&self) -> String {
        let mut parts: Vec<String> = self.spent.iter().map(Hours::text).collect();
        if let Some(rest) = self.rest.as_ref().filter(|rest| !rest.is_nothing()) {
            parts.push(rest.text());
        }
        if parts.is_empty() {
            return String::new();
        }
        let mut text = format!("cost: {}\n", parts.join("; "));
        if let Some(from) = self.rest.as_ref().and_then(Rest::from) {
            text.push_str(&format!("      {from}\n"));
        }
        text
    }

    /// Returns the cost for programs, in seconds.
    pub(super) fn json(&self) -> serde_json::Value {
        json!({ "spent": self.spent, "left": self.rest })
    }
}

impl Hours {
    fn text(&self) -> String {
        let Self { kind, train_s, eval_s } = *self;
        let evaluation = match eval_s {
            0.0 => String::new(),
            seconds => format!(", {} of them evaluation", hours(seconds)),
        };
        format!("{} {} spent{evaluation}", hours(train_s + eval_s), kind.hours())
    }
}

impl Rest {
    fn is_nothing(&self) -> bool {
        self.bases.is_empty()
    }

    fn text(&self) -> String {
        let mut text = format!("about {} {} left", hours(self.seconds), self.kind.hours());
        if let Some(seconds) = self.seconds_to_go {
            let time = words::duration(Duration::from_secs_f64(seconds));
            text.push_str(&format!(", {time} on {}", words::plural(self.slots as usize, "slot")));
        }
        text
    }

    /// Says what estimates are made from.
    fn from(&self) -> Option<String> {
        let known = self.bases.iter().map(|(basis, count)| format!("{} ({count})", basis.words()));
        let known = known.collect::<Vec<_>>().join(", ");
        let known = (!known.is_empty()).then(|| format!("expected from {known}"));
        let unknown = (self.unknown > 0 && known.is_some()).then(|| {
            format!("nothing comparable ran for {}", words::plural(self.unknown, "trial"))
        });
        let all: Vec<String> = known.into_iter().chain(unknown).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

fn hours(seconds: f64) -> String {
    match seconds / 3600.0 {
        hours if hours >= 9.95 => format!("{hours:.0}"),
        hours if hours >= 0.095 => format!("{hours:.1}"),
        hours if hours >= 0.0005 => format!("{hours:.3}"),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn here(slots: u32) -> Here {
        let place = Place { kind: DeviceKind::Gpu, model: "a".into(), threads: 1 };
        Here { place, slots }
    }

    fn known(hours: f64) -> Left {
        Left::Known { seconds: hours * 3600.0, basis: Basis::SameClass }
    }

    #[test]
    fn hours_are_summed_and_slots_share_what_is_left() {
        let rows = samples::trials();
        let trials: Vec<Asked<'_>> = rows[..4].iter().map(Asked::from).collect();
        let spent = |kind, train_ms, eval_ms| Spent {
            train_key: rows[0].train_key.clone(),
            kind,
            train_ms,
            eval_ms,
        };
        let spent = [
            spent(DeviceKind::Gpu, 7_200_000, 1_800_000),
            spent(DeviceKind::Gpu, 3_600_000, 0),
            spent(DeviceKind::Cpu, 60_000, 0),
        ];
        let other = Left::Known { seconds: 3600.0, basis: Basis::SameGroup };
        let lefts = [Left::Nothing, known(5.0), known(1.0), other];
        let outlook_on =
            |lefts: &[Left], slots| outlook(&trials, &spent, Some((lefts, &here(slots))));
        let two = outlook_on(&lefts, 2);
        insta::assert_snapshot!(two.text());
        insta::assert_json_snapshot!("for_programs", two.json());
        // The longest trial bounds it.
        let many = outlook_on(&lefts, 100).rest.unwrap();
        assert_eq!(many.seconds_to_go, Some(5.0 * 3600.0));
        let some = outlook_on(&[known(1.0), Left::Unknown, Left::Nothing, Left::Nothing], 1);
        assert_eq!(some.rest.as_ref().unwrap().seconds_to_go, None);
        assert!(some.text().contains("nothing comparable ran for 1 trial"), "{}", some.text());
        assert_eq!(outlook(&[], &[], None).text(), "");
    }

    #[test]
    fn what_a_trial_has_done_already_is_not_left() {
        let rows = samples::trials();
        let trials: Vec<Asked<'_>> = rows.iter().map(Asked::from).collect();
        let eval_key = samples::sweep().eval_key;
        let place = Place { kind: DeviceKind::Cpu, model: "a".into(), threads: 1 };
        let past = rows.iter().map(|row| crate::plan::cost::Past {
            run: row.run.clone(),
            group: row.group_key.clone(),
            eval_key: eval_key.clone(),
            place: place.clone(),
            runs: 1,
            train_s: 100.0,
            evaluated: 1,
            eval_s: 10.0,
        });
        let history = History::new(&past.collect::<Vec<_>>(), &[], &place);
        let running = Spent {
            train_key: rows[2].train_key.clone(),
            kind: DeviceKind::Cpu,
            train_ms: 30_000,
            eval_ms: 0,
        };
        let seconds: Vec<Option<f64>> = lefts(&trials, &eval_key, &history, &[running])
            .into_iter()
            .map(|left| match left {
                Left::Nothing | Left::Unknown => None,
                Left::Known { seconds, .. } => Some(seconds),
            })
            .collect();
        let expected = [None, None, Some(80.0), None, Some(110.0), Some(110.0), None, None];
        assert_eq!(seconds, expected);
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
