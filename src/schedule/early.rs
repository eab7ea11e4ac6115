//! Which settings fall so far behind that they are stopped: pure functions of the curves so far.
//! Knows nothing of trials, seeds, stores or clocks: what competes are groups, each with one value
//! an epoch, and more is better.
//!
//! Two published rules, each with what is different here:
//!
//! - The **median stopping rule** (Golovin et al., Google Vizier, KDD 2017, section 3.2.2): a group
//!   is stopped when its best value so far is strictly below the median of the others' running
//!   averages up to the same epoch. There the others are completed trials; here they are all that
//!   got as far, since the trials of a sweep run side by side. Nothing is decided among fewer than
//!   [`FEWEST_OTHERS`] others.
//! - **Asynchronous successive halving** (Li et al., arXiv 1810.05934, algorithm 2): of the n groups
//!   that have reached a rung, the best n / eta are promoted. There the others wait for promotion;
//!   here nothing waits on a slot, so a group goes on from a rung until others push it out of the
//!   best n / eta, and is stopped then. While n / eta is below one, nothing is decided.
//!
//! In both the group with the highest value at an epoch is never stopped there.

use crate::spec::early::{EarlyStop, FEWEST_OTHERS};

/// A group as the rules see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrant {
    /// Its value after each epoch that it has reached.
    pub curve: Vec<f64>,
    /// Whether it can be stopped.
    pub standing: Standing,
}

/// Whether a group can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Open,
    /// Not now: everything is compared with it, or part of it has yet to get there.
    Exempt,
    /// It was.
    Stopped,
}

/// A decision to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// Place among the entrants.
    pub entrant: usize,
    /// What it had: its best value for the median rule, its value at the rung for halving.
    pub value: f64,
    /// What it would have needed.
    pub bar: f64,
}

/// Decides after `epoch`, which is one of the policy's rungs. The same curves give the same
/// decisions, in the order of the entrants; of equal values the earlier entrant's counts as better.
pub fn judge(policy: &EarlyStop, epoch: u32, entrants: &[Entrant]) -> Vec<Stop> {
    let reached = reached(epoch, entrants);
    let Some(best) = reached.first() else { return Vec::new() };
    let stops = match policy {
        EarlyStop::Median { .. } => median_rule(&reached),
        EarlyStop::Asha { reduction, .. } => halving(&reached, *reduction as usize),
    };
    let mut stops: Vec<Stop> = stops
        .into_iter()
        .filter(|stop| {
            stop.entrant != best.place && entrants[stop.entrant].standing == Standing::Open
        })
        .collect();
    stops.sort_by_key(|stop| stop.entrant);
    stops
}

/// An entrant that got as far.
struct Reached<'a> {
    place: usize,
    /// Its values up to the epoch.
    curve: &'a [f64],
    now: f64,
    standing: Standing,
}

impl Reached<'_> {
    fn best_so_far(&self) -> f64 {
        self.curve.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    fn average(&self) -> f64 {
        self.curve.iter().sum::<f64>() / self.curve.len() as f64
    }
}

/// Returns those that got as far, the best first.
fn reached(epoch: u32, entrants: &[Entrant]) -> Vec<Reached<'_>> {
    let mut reached = Vec::with_capacity(entrants.len());
    for (place, Entrant { curve, standing }) in entrants.iter().enumerate() {
        let curve = curve.get(..epoch as usize).unwrap_or_default();
        if let Some(&now) = curve.last() {
            reached.push(Reached { place, curve, now, standing: *standing });
        }
    }
    // Stable, so that of equal ones the earlier stays before.
    reached.sort_by(|a, b| b.now.total_cmp(&a.now));
    reached
}

fn median_rule(reached: &[Reached<'_>]) -> Vec<Stop> {
    if reached.len() <= FEWEST_OTHERS {
        return Vec::new();
    }
    let mut averages: Vec<(f64, usize)> =
        reached.iter().map(|one| (one.average(), one.place)).collect();
    averages.sort_by(|a, b| a.0.total_cmp(&b.0));
    let judged = reached.iter().map(|one| Stop {
        entrant: one.place,
        value: one.best_so_far(),
        bar: median_without(&averages, one.place),
    });
    judged.filter(|stop| stop.value < stop.bar).collect()
}

/// Returns the median of sorted averages, one of them left out.
fn median_without(sorted: &[(f64, usize)], left_out: usize) -> f64 {
    let at = sorted.iter().position(|(_, place)| *place == left_out).unwrap_or(sorted.len());
    let nth = |n: usize| sorted[if n < at { n } else { n + 1 }].0;
    let others = sorted.len() - 1;
    if others.is_multiple_of(2) {
        f64::midpoint(nth(others / 2 - 1), nth(others / 2))
    } else {
        nth(others / 2)
    }
}

/// All count that ever reached the rung; places are taken by those that were not stopped since.
fn halving(reached: &[Reached<'_>], reduction: usize) -> Vec<Stop> {
    let places = reached.len() / reduction;
    let Some(last) = places.checked_sub(1) else { return Vec::new() };
    let standing = || reached.iter().filter(|one| one.standing != Standing::Stopped);
    let Some(bar) = standing().nth(last).map(|one| one.now) else { return Vec::new() };
    let out = standing().skip(places);
    out.map(|one| Stop { entrant: one.place, value: one.now, bar }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEDIAN: EarlyStop = EarlyStop::Median { warmup: 2, every: 1 };
    const ASHA: EarlyStop = EarlyStop::Asha { min_epochs: 1, reduction: 3 };

    fn open(curve: &[f64]) -> Entrant {
        Entrant { curve: curve.to_vec(), standing: Standing::Open }
    }

    fn stopped(stops: &[Stop]) -> Vec<usize> {
        stops.iter().map(|stop| stop.entrant).collect()
    }

    #[test]
    fn the_median_rule_by_hand() {
        let curves = [[0.2, 0.4], [0.4, 0.6], [0.3, 0.7], [0.1, 0.25], [0.1, 0.3]];
        let entrants = curves.map(|curve| open(&curve));
        // Averages: 0.3, 0.5, 0.5, 0.175, 0.2. Without the fourth the median is (0.3 + 0.5) / 2,
        // and its best 0.25 is below; so is the fifth's 0.3 below its own. The first has 0.4 where
        // the others' median is 0.35.
        let stops = judge(&MEDIAN, 2, &entrants);
        assert_eq!(stopped(&stops), [3, 4]);
        assert_eq!((stops[0].value, stops[0].bar), (0.25, 0.4));
        // Three others must be as far.
        assert!(judge(&MEDIAN, 2, &entrants[1..4]).is_empty());
    }

    #[test]
    fn an_equal_group_is_not_strictly_below_the_median() {
        let entrants = [0.5; 6].map(|value| open(&[value, value]));
        assert!(judge(&MEDIAN, 2, &entrants).is_empty());
    }

    #[test]
    fn a_group_that_was_good_once_is_kept_by_its_best_value() {
        let entrants = [[0.3, 0.5], [0.3, 0.5], [0.3, 0.5], [0.45, 0.1]].map(|curve| open(&curve));
        assert!(judge(&MEDIAN, 2, &entrants).is_empty());
    }

    #[test]
    fn halving_by_hand() {
        let mut entrants: Vec<Entrant> =
            [0.3, 0.6, 0.5, 0.2, 0.1].iter().map(|value| open(&[*value])).collect();
        // Of two none is promoted and none stopped; of five the best one is.
        assert!(judge(&ASHA, 1, &entrants[..2]).is_empty());
        let stops = judge(&ASHA, 1, &entrants);
        assert_eq!(stopped(&stops), [0, 2, 3, 4]);
        assert!(stops.iter().all(|stop| stop.bar == 0.6));
        // Who was stopped stays in the count: a sixth makes room for a second.
        for stop in &stops {
            entrants[stop.entrant].standing = Standing::Stopped;
        }
        entrants.push(open(&[0.4]));
        assert!(judge(&ASHA, 1, &entrants).is_empty());
        // A seventh takes the sixth's place.
        entrants.push(open(&[0.55]));
        assert_eq!(stopped(&judge(&ASHA, 1, &entrants)), [5]);
    }

    #[test]
    fn who_is_not_there_yet_is_neither_counted_nor_stopped() {
        let entrants = [open(&[0.9]), open(&[0.1, 0.1]), open(&[0.2, 0.2]), open(&[])];
        assert!(judge(&ASHA, 2, &entrants).is_empty());
    }

    #[test]
    fn an_exempt_group_is_compared_with_and_never_stopped() {
        let mut entrants = [0.1, 0.5, 0.6, 0.7].map(|value| open(&[value, value]));
        entrants[0].standing = Standing::Exempt;
        assert_eq!(stopped(&judge(&ASHA, 2, &entrants)), [1, 2]);
        assert_eq!(stopped(&judge(&MEDIAN, 2, &entrants)), [1]);
        entrants[0].standing = Standing::Open;
        assert_eq!(stopped(&judge(&MEDIAN, 2, &entrants)), [0, 1]);
    }

    const EPOCHS: usize = 4;

    fn any_policy() -> impl Strategy<Value = EarlyStop> {
        prop_oneof![
            (1_u32..4, 1_u32..3).prop_map(|(warmup, every)| EarlyStop::Median { warmup, every }),
            (1_u32..4, 2_u32..5)
                .prop_map(|(min_epochs, reduction)| EarlyStop::Asha { min_epochs, reduction }),
        ]
    }

    fn any_entrants() -> impl Strategy<Value = Vec<Entrant>> {
        let standing = prop_oneof![
            6 => Just(Standing::Open), 1 => Just(Standing::Exempt), 2 => Just(Standing::Stopped)
        ];
        // Tenths, so that there are ties.
        let curve =
            prop::collection::vec((0_u8..=10).prop_map(|v| f64::from(v) / 10.0), 0..=EPOCHS);
        let entrant = (curve, standing).prop_map(|(curve, standing)| Entrant { curve, standing });
        prop::collection::vec(entrant, 0..20)
    }

    fn value(entrant: &Entrant, epoch: u32) -> Option<f64> {
        entrant.curve.get(epoch as usize - 1).copied()
    }

    proptest! {
        #[test]
        fn the_best_is_never_stopped_and_only_open_groups_are(
            policy in any_policy(), epoch in 1_u32..=4, entrants in any_entrants()
        ) {
            let stops = judge(&policy, epoch, &entrants);
            let best = entrants.iter().filter_map(|e| value(e, epoch)).fold(0.0, f64::max);
            let first = entrants.iter().position(|e| value(e, epoch) == Some(best));
            for stop in &stops {
                prop_assert_eq!(entrants[stop.entrant].standing, Standing::Open);
                prop_assert!(value(&entrants[stop.entrant], epoch).is_some());
                prop_assert!(Some(stop.entrant) != first);
                prop_assert!(stop.value <= stop.bar);
            }
            prop_assert_eq!(judge(&policy, epoch, &entrants), stops);
        }

        #[test]
        fn what_comes_later_changes_no_decision(
            policy in any_policy(), epoch in 1_u32..=4, entrants in any_entrants()
        ) {
            let mut cut = entrants.clone();
            for entrant in &mut cut {
                entrant.curve.truncate(epoch as usize);
            }
            prop_assert_eq!(judge(&policy, epoch, &cut), judge(&policy, epoch, &entrants));
        }

        /// Who is stopped would be stopped with lower values too.
        #[test]
        fn to_be_worse_saves_nobody(
            policy in any_policy(), epoch in 1_u32..=4, entrants in any_entrants(), by in 0.0..0.5_f64
        ) {
            for stop in judge(&policy, epoch, &entrants) {
                let mut worse = entrants.clone();
                for value in &mut worse[stop.entrant].curve {
                    *value -= by;
                }
                let again = judge(&policy, epoch, &worse);
                prop_assert!(again.iter().any(|other| other.entrant == stop.entrant));
            }
        }

        #[test]
        fn halving_leaves_at_most_one_in_so_many(
            reduction in 2_u32..5, entrants in any_entrants()
        ) {
            let stops = judge(&EarlyStop::Asha { min_epochs: 1, reduction }, 1, &entrants);
            let at_rung = || entrants.iter().enumerate().filter(|(_, e)| value(e, 1).is_some());
            let places = at_rung().count() / reduction as usize;
            let left = at_rung()
                .filter(|(_, e)| e.standing == Standing::Open)
                .filter(|(at, _)| !stops.iter().any(|stop| stop.entrant == *at));
            prop_assert!(places == 0 || left.count() <= places);
        }

        #[test]
        fn nothing_is_decided_before_the_first_rung(policy in any_policy(), epochs in 1_u32..100) {
            let first = match policy {
                EarlyStop::Median { warmup, .. } => warmup,
                EarlyStop::Asha { min_epochs, .. } => min_epochs,
            };
            prop_assert!(policy.rungs(epochs).iter().all(|rung| *rung >= first && *rung < epochs));
        }
    }
}
