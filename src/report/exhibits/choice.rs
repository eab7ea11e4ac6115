//! Which trials show what: one strip of views for each way of making them, and the few settings whose
//! embeddings a reader wants side by side. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::super::analysis::{Analysis, analyse};
use super::super::cell::Cell;
use super::super::gathered::Gathered;
use crate::ids::TrainKey;
use crate::outcome::Verdict;
use crate::store::rows::TrialRow;

/// Strips of a figure.
const MOST_STRIPS: usize = 16;
/// Settings side by side.
const MOST_COMPARED: usize = 6;

/// The trials whose exhibits a report needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// One for each strip of views.
    pub views: Vec<TrainKey>,
    /// One for each setting that is compared.
    pub compared: Vec<TrainKey>,
}

/// Why a setting is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Others are measured against it.
    Reference,
    /// Highest mean.
    Best,
    /// Lowest mean.
    Worst,
    /// Some seed collapsed: the trial is one of those.
    Collapsed,
}

impl Role {
    /// Returns it in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Best => "best",
            Self::Worst => "worst",
            Self::Collapsed => "collapsed",
        }
    }
}

/// A setting that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its place among the cells.
    pub cell: usize,
    /// The trial that stands for it: its lowest seed with a result, or with a collapse.
    pub trial: TrainKey,
    /// Why it is compared, if not only because there is room.
    pub roles: BTreeSet<Role>,
}

/// Views that are made in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    /// Places of the cells that make them so.
    pub cells: Vec<usize>,
    /// The trial that shows them.
    pub trial: TrainKey,
}

impl Wanted {
    /// Chooses for a sweep.
    pub fn of(gathered: &Gathered) -> Self {
        let analysis = analyse(gathered);
        let views = strips(gathered, &analysis).into_iter().map(|strip| strip.trial).collect();
        let compared = compared(gathered, &analysis).into_iter().map(|chosen| chosen.trial);
        Self { views, compared: compared.collect() }
    }

    /// Returns all of them once.
    pub fn all(&self) -> Vec<&TrainKey> {
        let mut told = BTreeSet::new();
        self.views.iter().chain(&self.compared).filter(|key| told.insert(*key)).collect()
    }
}

/// Trials that were evaluated, which is when a worker shows something.
struct Shown<'g>(BTreeMap<&'g TrainKey, &'g TrialRow>);

impl<'g> Shown<'g> {
    fn of(gathered: &'g Gathered) -> Self {
        let evaluated: BTreeSet<&TrainKey> =
            gathered.finals.iter().map(|finals| &finals.train_key).collect();
        let trials = gathered.trials.iter().filter(|trial| evaluated.contains(&trial.train_key));
        Self(trials.map(|trial| (&trial.train_key, trial)).collect())
    }

    /// Returns the trial of a cell's lowest seed, of those that collapsed where one has.
    fn of_cell(&self, cell: &Cell) -> Option<&'g TrialRow> {
        let trials = cell.train_keys.iter().filter_map(|key| self.0.get(key).copied());
        let healthy_last = |trial: &&TrialRow| {
            (cell.collapsed > 0 && trial.verdict != Some(Verdict::Collapsed), trial.run.seed)
        };
        trials.min_by_key(healthy_last)
    }

    /// Returns the trial of a cell's lowest seed.
    fn lowest_seed(&self, cell: &Cell) -> Option<&'g TrialRow> {
        let trials = cell.train_keys.iter().filter_map(|key| self.0.get(key).copied());
        trials.min_by_key(|trial| trial.run.seed)
    }
}

/// Returns the ways in which a sweep's views are made, in the order of the plan.
pub(in crate::report) fn strips(gathered: &Gathered, analysis: &Analysis) -> Vec<Strip> {
    let shown = Shown::of(gathered);
    let mut strips: Vec<(&TrialRow, Vec<usize>)> = Vec::new();
    for (place, cell) in analysis.cells.iter().enumerate() {
        let Some(trial) = shown.lowest_seed(cell) else { continue };
        let same = |other: &TrialRow| {
            (&other.run.views, &other.run.data) == (&trial.run.views, &trial.run.data)
        };
        match strips.iter_mut().find(|(other, _)| same(other)) {
            Some((_, cells)) => cells.push(place),
            None => strips.push((trial, vec![place])),
        }
    }
    let strip =
        |(trial, cells): (&TrialRow, Vec<usize>)| Strip { cells, trial: trial.train_key.clone() };
    strips.into_iter().take(MOST_STRIPS).map(strip).collect()
}

/// Returns the settings to compare: all of a few; of many the reference, the best, the worst, those
/// that collapsed, and further references.
pub(in crate::report) fn compared(gathered: &Gathered, analysis: &Analysis) -> Vec<Chosen> {
    let shown = Shown::of(gathered);
    let mut seen = BTreeSet::new();
    let candidates: Vec<(usize, &TrialRow)> = analysis
        .cells
        .iter()
        .enumerate()
        .filter_map(|(place, cell)| Some((place, shown.of_cell(cell)?)))
        .filter(|(_, trial)| seen.insert(&trial.train_key))
        .collect();
    let cell = |place: usize| &analysis.cells[place];
    let places = candidates.iter().map(|(place, _)| *place);
    let is_reference =
        |place: &usize| cell(*place).change.as_ref().is_some_and(|change| change.is_reference);
    let references: Vec<usize> = places.clone().filter(is_reference).collect();
    let mean = |place: usize| cell(place).estimate.map(|estimate| (place, estimate.mean));
    let means: Vec<(usize, f64)> = places.clone().filter_map(mean).collect();
    // Of equal ones the first of the plan.
    let best = means.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let worst = means.iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a });
    let (best, worst) = match (best, worst) {
        (Some(best), Some(worst)) if best.0 != worst.0 => (Some(best.0), Some(worst.0)),
        _ => (None, None),
    };
    let collapsed: Vec<usize> = places.clone().filter(|place| cell(*place).collapsed > 0).collect();

    let roles = |place: usize| -> BTreeSet<Role> {
        let of = [
            (Role::Reference, references.contains(&place)),
            (Role::Best, best == Some(place)),
            (Role::Worst, worst == Some(place)),
            (Role::Collapsed, collapsed.contains(&place)),
        ];
        of.into_iter().filter(|(_, has)| *has).map(|(role, _)| role).collect()
    };
    let standing_out = references.first().copied().into_iter().chain(best).chain(worst);
    let standing_out = standing_out.chain(collapsed.iter().chain(&references).copied());
    let mut order: Vec<usize> = if candidates.len() <= MOST_COMPARED {
        places.collect()
    } else {
        let mut told = BTreeSet::new();
        standing_out.filter(|place| told.insert(*place)).collect()
    };
    if order.is_empty() {
        // Nothing stands out: the first ones of the plan.
        order = candidates.iter().map(|(place, _)| *place).collect();
    }
    order.truncate(MOST_COMPARED);
    let chosen = |place: usize| {
        let (_, trial) = candidates.iter().find(|(other, _)| *other == place)?;
        Some(Chosen { cell: place, trial: trial.train_key.clone(), roles: roles(place) })
    };
    order.into_iter().filter_map(chosen).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::samples;
    use super::*;
    use crate::spec::run::{Flip, ViewRecipe};

    fn told(gathered: &Gathered) -> Vec<String> {
        let analysis = analyse(gathered);
        let of = |chosen: Chosen| {
            let trial = gathered.trials.iter().find(|t| t.train_key == chosen.trial).unwrap();
            let roles: Vec<&str> = chosen.roles.into_iter().map(Role::word).collect();
            let name = analysis.cells[chosen.cell].name();
            format!("{name}, seed {}: {}", trial.run.seed, roles.join(" "))
        };
        compared(gathered, &analysis).into_iter().map(of).collect()
    }

    #[test]
    fn all_of_a_few_settings_are_compared_in_their_order() {
        assert_eq!(
            told(&samples::collapsed_sweep()),
            [
                "tau base 0, seed 1: worst collapsed",
                "tau base 0.9, seed 0: ",
                "tau base 0.99, seed 0: reference best",
                "tau base 0.999, seed 0: ",
                "tau base 1, seed 0: ",
            ]
        );
    }

    #[test]
    fn of_many_settings_those_that_stand_out_are_compared() {
        let mut gathered = samples::augmentation_sweep(2);
        assert_eq!(
            told(&gathered),
            [
                "BYOL, baseline, seed 0: reference best",
                "SimCLR, crop and flip only, seed 0: worst",
                "SimCLR, baseline, seed 0: reference",
            ]
        );
        // A reference without any result is nothing to show.
        let key = gathered.trials[0].train_key.clone();
        gathered.finals.retain(|finals| finals.train_key != key);
        assert!(told(&gathered)[0].starts_with("BYOL, baseline, seed 1: reference"));
    }

    #[test]
    fn views_that_are_made_alike_are_shown_once() {
        let gathered = samples::batch_sweep();
        let analysis = analyse(&gathered);
        let found = strips(&gathered, &analysis);
        assert_eq!((found.len(), found[0].cells.len()), (1, 10));
        assert_eq!(Wanted::of(&gathered).views, [gathered.trials[0].train_key.clone()]);
    }

    #[test]
    fn every_way_of_making_views_has_its_strip_up_to_a_number() {
        let mut gathered = samples::augmentation_sweep(1);
        samples::give_arms_views(&mut gathered);
        let found = strips(&gathered, &analyse(&gathered));
        assert_eq!(found.len(), 14);
        assert!(found.iter().all(|strip| strip.cells.len() == 2), "both methods: {found:?}");
        for (at, trial) in gathered.trials.iter_mut().enumerate() {
            Arc::make_mut(&mut trial.run.views).t =
                ViewRecipe { flip: Some(Flip { p: at as f64 / 100.0 }), ..ViewRecipe::default() };
        }
        assert_eq!(strips(&gathered, &analyse(&gathered)).len(), MOST_STRIPS);
    }

    #[test]
    fn what_has_no_result_shows_nothing() {
        let mut gathered = samples::tau_sweep();
        gathered.finals.clear();
        let wanted = Wanted::of(&gathered);
        assert_eq!((wanted.views.len(), wanted.compared.len()), (0, 0));
        assert!(wanted.all().is_empty());
    }
}
