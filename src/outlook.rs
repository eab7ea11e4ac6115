//! What a sweep took, what is left of it, and when that is done, for whoever shows a sweep. Knows
//! nothing of budgets, and of machines only what the store has.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::ids::{EvalKey, GroupKey, TrainKey};
use crate::plan::PlannedTrial;
use crate::plan::cost::{Basis, DeviceKind, Estimate, History, Past, Place};
use crate::spec::run::RunSpec;
use crate::store::rows::{SweepRow, TrialRow, TrialState};
use crate::store::{Spent, Store, StoreError};
use crate::ui::words;

/// Where what is left will run.
#[derive(Clone, Debug)]
pub struct Here {
    /// Machine, as far as speed depends on it.
    pub place: Place,
    /// Attempts at a time.
    pub slots: u32,
}

impl Here {
    /// Takes it that a sweep goes on where it ran last; `None` where it never ran.
    async fn of_sweep(store: &Store, sweep: &SweepRow) -> Result<Option<Self>, StoreError> {
        let Some(last) = store.last_invocation(sweep.id).await? else { return Ok(None) };
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
pub struct Asked<'a> {
    /// Identity.
    pub key: &'a TrainKey,
    /// Identity without the seed.
    pub group: &'a GroupKey,
    /// What it trains.
    pub run: &'a RunSpec,
    /// Where it stands.
    pub state: TrialState,
}

impl<'a> Asked<'a> {
    /// Takes one out of a plan.
    pub fn planned(trial: &'a PlannedTrial, state: TrialState) -> Self {
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
pub enum Left {
    /// Nothing that a run does by itself.
    Nothing,
    /// So many seconds.
    Known {
        /// Expected.
        seconds: f64,
        /// What that is made from.
        basis: Basis,
    },
    /// Nothing comparable ever ran.
    Unknown,
}

/// Time of attempts on one kind of device, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Hours {
    kind: DeviceKind,
    train_s: f64,
    eval_s: f64,
}

/// What a sweep took and will take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// By kind of device.
    pub spent: Vec<Hours>,
    /// `None` where it is not known what the rest would run on.
    pub rest: Option<Rest>,
}

/// What is left of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rest {
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

/// All that an outlook on a stored sweep is made from.
#[derive(Debug)]
pub struct Costs {
    /// What its trials took.
    pub spent: Vec<Spent>,
    /// What tells how long the rest takes; `None` where the sweep never ran.
    pub experience: Option<Experience>,
}

/// What estimates for a sweep are made from, whatever its trials are.
#[derive(Debug)]
pub struct Experience {
    here: Here,
    past: Vec<Past>,
}

impl Experience {
    /// Reads where a sweep will go on, and what trials of all sweeps took so far; `None` where it never
    /// ran.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a stored value that this version cannot read.
    pub async fn read(store: &Store, sweep: &SweepRow) -> Result<Option<Self>, StoreError> {
        match Here::of_sweep(store, sweep).await? {
            Some(here) => Ok(Some(Self { here, past: store.past().await? })),
            None => Ok(None),
        }
    }
}

impl Costs {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a stored value that this version cannot read.
    pub async fn read(
        store: &Store,
        sweep: &SweepRow,
        trials: &[TrainKey],
    ) -> Result<Self, StoreError> {
        let (spent, experience) =
            tokio::try_join!(store.spent(trials), Experience::read(store, sweep))?;
        Ok(Self { spent, experience })
    }

    /// Returns the outlook on the trials that it was read for.
    pub fn outlook(&self, trials: &[Asked<'_>], eval_key: &EvalKey) -> Outlook {
        let Some(Experience { here, past }) = &self.experience else {
            return outlook(&self.spent, None);
        };
        let history = History::new(past, &[], &here.place);
        let lefts = lefts(trials, eval_key, &history, &self.spent);
        outlook(&self.spent, Some((&lefts, here)))
    }
}

/// Sums up what the trials took, and what is left of them.
pub fn outlook(spent: &[Spent], lefts: Option<(&[Left], &Here)>) -> Outlook {
    let mut hours: BTreeMap<DeviceKind, Hours> = BTreeMap::new();
    for one in spent {
        let kind = one.kind;
        let sum = hours.entry(kind).or_insert(Hours { kind, train_s: 0.0, eval_s: 0.0 });
        sum.train_s += one.train_ms as f64 / 1000.0;
        sum.eval_s += one.eval_ms as f64 / 1000.0;
    }
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

/// Returns what is left of each trial.
pub fn lefts(
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

impl Outlook {
    /// Returns the cost for people; nothing where there is nothing to tell.
    pub fn text(&self) -> String {
        let Some(phrase) = self.phrase() else { return String::new() };
        let mut text = format!("cost: {phrase}\n");
        if let Some(basis) = self.basis() {
            text.push_str(&format!("      {basis}\n"));
        }
        text
    }

    /// Returns what was spent and what is left, in words; `None` where there is nothing to tell.
    pub fn phrase(&self) -> Option<String> {
        let mut parts: Vec<String> = self.spent.iter().map(Hours::text).collect();
        if let Some(rest) = self.rest.as_ref().filter(|rest| !rest.is_nothing()) {
            parts.push(rest.text());
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Says what the estimate is made from.
    pub fn basis(&self) -> Option<String> {
        self.rest.as_ref().and_then(Rest::from)
    }

    /// Returns how long the rest takes; `None` where not all of it is known.
    pub fn to_go(&self) -> Option<Duration> {
        self.rest.as_ref()?.seconds_to_go.map(Duration::from_secs_f64)
    }

    /// Returns the cost for programs, in seconds.
    pub fn json(&self) -> serde_json::Value {
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
    use super::*;

    /// A trial of each seed, in these states.
    fn runs(count: u64) -> Vec<RunSpec> {
        let run: RunSpec =
            serde_json::from_str(include_str!("../tests/fixtures/run.json")).unwrap();
        (0..count).map(|seed| RunSpec { seed, ..run.clone() }).collect()
    }

    fn place(kind: DeviceKind) -> Place {
        Place { kind, model: "a".into(), threads: 1 }
    }

    fn known(hours: f64) -> Left {
        Left::Known { seconds: hours * 3600.0, basis: Basis::SameClass }
    }

    #[test]
    fn hours_are_summed_and_slots_share_what_is_left() {
        let train_key = runs(1)[0].train_key();
        let spent = |kind, train_ms, eval_ms| {
            let train_key = train_key.clone();
            Spent { train_key, kind, train_ms, eval_ms }
        };
        let spent = [
            spent(DeviceKind::Gpu, 7_200_000, 1_800_000),
            spent(DeviceKind::Gpu, 3_600_000, 0),
            spent(DeviceKind::Cpu, 60_000, 0),
        ];
        let other = Left::Known { seconds: 3600.0, basis: Basis::SameGroup };
        let lefts = [Left::Nothing, known(5.0), known(1.0), other];
        let outlook_on = |lefts: &[Left], slots| {
            outlook(&spent, Some((lefts, &Here { place: place(DeviceKind::Gpu), slots })))
        };
        let two = outlook_on(&lefts, 2);
        insta::assert_snapshot!(two.text());
        insta::assert_json_snapshot!("for_programs", two.json());
        // The longest trial bounds it.
        assert_eq!(outlook_on(&lefts, 100).to_go(), Some(Duration::from_secs(5 * 3600)));
        let some = outlook_on(&[known(1.0), Left::Unknown, Left::Nothing, Left::Nothing], 1);
        assert_eq!(some.to_go(), None);
        assert!(some.text().contains("nothing comparable ran for 1 trial"), "{}", some.text());
        assert_eq!(outlook(&[], None).text(), "");
    }

    #[test]
    fn what_a_trial_has_done_already_is_not_left() {
        let states = [
            (TrialState::Done, None),
            (TrialState::Running, Some(80.0)),
            (TrialState::Failed, None),
            (TrialState::Stopped, Some(110.0)),
            (TrialState::Pending, Some(110.0)),
            (TrialState::Pruned, None),
            (TrialState::Trained, Some(10.0)),
        ];
        let runs = runs(states.len() as u64);
        let keys: Vec<TrainKey> = runs.iter().map(RunSpec::train_key).collect();
        let group = runs[0].group_key();
        let trials: Vec<Asked<'_>> = std::iter::zip(&runs, &keys)
            .zip(states)
            .map(|((run, key), (state, _))| Asked { key, group: &group, run, state })
            .collect();
        let eval_key: EvalKey = EvalKey::of_canonical_json("{}");
        let past = Past {
            run: runs[0].clone(),
            group: group.clone(),
            eval_key: eval_key.clone(),
            place: place(DeviceKind::Cpu),
            runs: 8,
            train_s: 800.0,
            evaluated: 8,
            eval_s: 80.0,
        };
        let history = History::new(&[past], &[], &place(DeviceKind::Cpu));
        let running = Spent {
            train_key: keys[1].clone(),
            kind: DeviceKind::Cpu,
            train_ms: 30_000,
            eval_ms: 0,
        };
        let lefts = lefts(&trials, &eval_key, &history, &[running]);
        for (left, (state, expected)) in lefts.into_iter().zip(states) {
            let seconds = match left {
                Left::Nothing | Left::Unknown => None,
                Left::Known { seconds, .. } => Some(seconds),
            };
            assert_eq!(seconds, expected, "{state:?}");
        }
    }
}
