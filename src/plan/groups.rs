//! From cells to trials: each is resolved and named, equal ones are joined, seeds multiplied.

use std::collections::HashMap;

use rayon::prelude::*;

use super::compose::{Draft, Origin};
use super::identity::Identity;
use super::{Label, PlannedTrial};
use crate::ids::{GroupKey, TrainKey};
use crate::spec::cell::Cell;
use crate::spec::resolve::{Resolved, resolve};
use crate::spec::rules::BASELINE;
use crate::spec::source::Digests;
use crate::spec::{Fault, RawSweep};

/// Cells made at a time: enough for all cores, few enough to leave memory to the plan.
const CHUNK: usize = 4096;

/// Different cells in the order of their first, equal ones joined.
pub(super) struct Groups {
    /// Each with the first seed.
    pub(super) firsts: Vec<PlannedTrial>,
    /// For each the keys with the other seeds.
    others: Vec<Vec<TrainKey>>,
}

impl Groups {
    /// Makes the cells and joins equal ones.
    pub(super) fn of(
        drafts: &[Draft<'_>],
        base: &Cell<'_>,
        digests: &Digests,
        seeds: &[u64],
        sweep: &RawSweep,
    ) -> Result<Self, Fault> {
        let mut at: HashMap<GroupKey, usize> = HashMap::with_capacity(drafts.len());
        let firsts = Vec::with_capacity(drafts.len() * seeds.len());
        let mut groups = Self { firsts, others: Vec::with_capacity(drafts.len()) };
        for chunk in drafts.chunks(CHUNK) {
            let made: Vec<Result<Made, Fault>> = chunk
                .par_iter()
                .map_init(Identity::default, |identity, draft| {
                    make(draft, base, digests, seeds, identity)
                })
                .collect();
            for made in made {
                let made = made?;
                match at.get(&made.group_key) {
                    Some(known) => join(&mut groups.firsts[*known], made, sweep)?,
                    None => {
                        at.insert(made.group_key.clone(), groups.firsts.len());
                        groups.push(made, seeds);
                    }
                }
            }
        }
        Ok(groups)
    }

    fn push(&mut self, made: Made, seeds: &[u64]) {
        let Made { resolved: Resolved { mut run, data_path }, group_key, train_keys, label } = made;
        let mut keys = train_keys.into_iter();
        let (Some(train_key), Some(seed)) = (keys.next(), seeds.first()) else { return };
        run.seed = *seed;
        self.others.push(keys.collect());
        self.firsts.push(PlannedTrial {
            ordinal: ordinal(self.firsts.len()),
            train_key,
            group_key,
            run,
            data_path,
            labels: [label].into(),
        });
    }

    /// Breadth first: every group with the first seed, then every group with the second.
    pub(super) fn with_seeds(self, seeds: &[u64]) -> Vec<PlannedTrial> {
        let Self { firsts: mut trials, others } = self;
        let groups = trials.len();
        for (i, seed) in seeds.iter().skip(1).enumerate() {
            for group in 0..groups {
                let mut trial = trials[group].clone();
                trial.ordinal = ordinal(trials.len());
                trial.run.seed = *seed;
                trial.train_key = others[group][i].clone();
                trials.push(trial);
            }
        }
        trials
    }
}

/// Returns the number of the trial that has `before` others before it.
fn ordinal(before: usize) -> u32 {
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

/// Adds the label of a cell that came out equal.
fn join(first: &mut PlannedTrial, made: Made, sweep: &RawSweep) -> Result<(), Fault> {
    if first.data_path != made.resolved.data_path && !is_identified(&made.resolved) {
        return Err(unmeasured(sweep));
    }
    if !first.labels.contains(&made.label) {
        first.labels = first.labels.iter().cloned().chain([made.label]).collect();
    }
    Ok(())
}

/// Returns whether the spec says which images it trains on, whatever their path.
fn is_identified(resolved: &Resolved) -> bool {
    use crate::spec::run::Source;
    match &resolved.run.data.source {
        Source::Shapes { .. } | Source::Cifar10 => true,
        Source::Idx { digest } | Source::ImageFolder { digest } => digest.is_some(),
    }
}

fn unmeasured(sweep: &RawSweep) -> Fault {
    let message = "this sweep trains on several folders that nobody has measured yet, so that their trials cannot be told apart";
    let label = "of this sweep";
    Fault::new(message, &sweep.top, label)
        .help("measure them with `byol-sweep data check PATH`, or declare `data.digest` beside `data.path`")
}

/// A cell, resolved.
struct Made {
    resolved: Resolved,
    group_key: GroupKey,
    /// One for each seed.
    train_keys: Vec<TrainKey>,
    label: Label,
}

fn make(
    draft: &Draft<'_>,
    base: &Cell<'_>,
    digests: &Digests,
    seeds: &[u64],
    identity: &mut Identity,
) -> Result<Made, Fault> {
    let cell = draft.cell(base);
    draft.check_acts(&cell)?;
    let resolved = resolve(&cell, digests)?;
    let (group_key, train_keys) = identity.keys(&resolved.run, seeds);
    Ok(Made { group_key, train_keys, label: label(draft, &cell), resolved })
}

/// Labels tell what holds in the cell, which a later rule may have changed.
fn label(draft: &Draft<'_>, cell: &Cell<'_>) -> Label {
    let (arm, published) = match draft.origin {
        Origin::Grid | Origin::Include => (None, None),
        Origin::Baseline => (Some(BASELINE.to_owned()), None),
        Origin::Arm(arm) => (Some(arm.name.clone()), arm.published.clone()),
    };
    let axes = draft.picks.iter().filter_map(|pick| {
        let value = cell.value(pick.key)?.to_json();
        Some((pick.key.path().to_owned(), value))
    });
    Label { arm, published, axes: axes.collect() }
}
