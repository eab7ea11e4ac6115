//! From rules to cells: products, conditions and exclusions, with the count after each. Knows
//! nothing of what a cell trains.

use std::collections::BTreeSet;

use super::error::{MANY_CELLS, PlanError};
use super::{Limit, RuleCount};
use crate::spec::cell::{Cell, Layer};
use crate::spec::rules::{Arm, Grid, Match, Rules, When};
use crate::spec::{Axis, Fault, Setting, Site};

/// A cell as the rules that made it: settings by reference, so that a million fit.
#[derive(Clone, Debug)]
pub(crate) struct Draft<'s> {
    /// What grids, zips and whens picked, or the settings of an include.
    pub(crate) picks: Vec<&'s Setting>,
    pub(crate) origin: Origin<'s>,
}

/// Where a cell comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin<'s> {
    /// The grids of a sweep without arms.
    Grid,
    /// The implicit arm.
    Baseline,
    /// An arm.
    Arm(&'s Arm),
    /// An include.
    Include,
}

impl<'s> Draft<'s> {
    /// Returns the settings on top of `base`.
    pub(crate) fn cell(&self, base: &Cell<'s>) -> Cell<'s> {
        let mut cell = base.clone();
        let layer = match self.origin {
            Origin::Grid | Origin::Baseline | Origin::Arm(_) => Layer::Axis,
            Origin::Include => Layer::Include,
        };
        cell.say(layer, self.picks.iter().copied());
        if let Origin::Arm(arm) = self.origin {
            cell.say(Layer::Arm, &arm.settings);
        }
        cell
    }

    /// Checks that every setting on top of `[base]` acts in the cell.
    pub(crate) fn check_acts(&self, cell: &Cell<'s>) -> Result<(), Fault> {
        let layer = match self.origin {
            Origin::Grid | Origin::Baseline | Origin::Arm(_) => Layer::Axis,
            Origin::Include => Layer::Include,
        };
        for pick in &self.picks {
            cell.check_acts(layer, pick)?;
        }
        if let Origin::Arm(arm) = self.origin {
            for setting in &arm.settings {
                cell.check_acts(Layer::Arm, setting)?;
            }
        }
        Ok(())
    }
}

/// Composes the cells of a sweep, rule by rule.
pub(crate) struct Composer<'s, 'b> {
    rules: &'s Rules,
    base: &'b Cell<'s>,
    /// Settings that `--set` says: a match on one of them may well hit nothing.
    overridden: &'b [Setting],
    /// Trials for each cell.
    seeds: u64,
    limit: Limit,
    steps: Vec<RuleCount>,
}

impl<'s, 'b> Composer<'s, 'b> {
    pub(crate) fn new(
        rules: &'s Rules,
        base: &'b Cell<'s>,
        overridden: &'b [Setting],
        seeds: u64,
        limit: Limit,
    ) -> Self {
        Self { rules, base, overridden, seeds, limit, steps: Vec::new() }
    }

    /// Returns the cells in the order of the file, and the count after each rule.
    pub(crate) fn compose(mut self) -> Result<(Vec<Draft<'s>>, Vec<RuleCount>), PlanError> {
        let mut cells = self.grids()?;
        self.zips(&mut cells)?;
        for (number, when) in (1..).zip(&self.rules.whens) {
            self.when(number, when, &mut cells)?;
        }
        for (number, matches) in (1..).zip(&self.rules.excludes) {
            self.exclude(number, matches, &mut cells)?;
        }
        let mut drafts = self.arms(cells)?;
        drafts.extend(self.rules.includes.iter().map(|include| Draft {
            picks: include.settings.iter().collect(),
            origin: Origin::Include,
        }));
        if !self.rules.includes.is_empty() {
            self.step(format!("include: {} more", self.rules.includes.len()), drafts.len() as u64);
        }
        Ok((drafts, self.steps))
    }

    fn step(&mut self, rule: String, cells: u64) {
        self.steps.push(RuleCount { rule, cells });
    }

    /// Refuses a number of cells, before they are made, that gives too many trials.
    fn check(&self, cells: u64) -> Result<(), PlanError> {
        let arms = match self.rules.arms.len() as u64 {
            0 => 1,
            arms => arms + 1,
        };
        let includes = self.rules.includes.len() as u64;
        let trials = cells.saturating_mul(arms).saturating_add(includes).saturating_mul(self.seeds);
        match self.limit {
            Limit::Million if trials > MANY_CELLS => Err(PlanError::TooMany { cells: trials }),
            Limit::Million | Limit::Lifted => Ok(()),
        }
    }

    fn grids(&mut self) -> Result<Vec<Vec<&'s Setting>>, PlanError> {
        let grids = &self.rules.grids;
        if grids.is_empty() {
            self.step("base".into(), 1);
            return Ok(vec![Vec::new()]);
        }
        let zips = self.rules.zips.iter().map(|zip| zip.axes[0].values.len() as u64);
        let zips = zips.fold(1, u64::saturating_mul);
        let all = grids.iter().map(grid_size).fold(0, u64::saturating_add);
        self.check(all.saturating_mul(zips))?;
        let mut cells = Vec::new();
        for (number, grid) in (1..).zip(grids) {
            product(&[], grid, &mut cells);
            self.step(format!("grid {number}: {}", grid_text(grid)), cells.len() as u64);
        }
        Ok(cells)
    }

    fn zips(&mut self, cells: &mut Vec<Vec<&'s Setting>>) -> Result<(), PlanError> {
        for (number, zip) in (1..).zip(&self.rules.zips) {
            let length = zip.axes[0].values.len();
            self.check((cells.len() as u64).saturating_mul(length as u64))?;
            let advanced = cells.iter().flat_map(|cell| {
                (0..length).map(move |i| {
                    let row = zip.axes.iter().map(|axis| &axis.values[i]);
                    cell.iter().copied().chain(row).collect()
                })
            });
            *cells = advanced.collect();
            let names: Vec<_> = zip.axes.iter().map(|axis| axis.key.path()).collect();
            self.step(format!("zip {number}: {length} {}", names.join(" + ")), cells.len() as u64);
        }
        Ok(())
    }

    fn when(
        &mut self,
        number: u32,
        when: &'s When,
        cells: &mut Vec<Vec<&'s Setting>>,
    ) -> Result<(), PlanError> {
        let hits: Vec<bool> = cells.iter().map(|picks| self.is_hit(picks, &when.matches)).collect();
        let hit = hits.iter().filter(|hit| **hit).count() as u64;
        self.check_hits(hit, &when.matches)?;
        let rest = cells.len() as u64 - hit;
        self.check(hit.saturating_mul(grid_size(&when.grid)).saturating_add(rest))?;
        let mut grown = Vec::new();
        for (picks, hit) in std::mem::take(cells).into_iter().zip(hits) {
            if hit {
                product(&picks, &when.grid, &mut grown);
            } else {
                grown.push(picks);
            }
        }
        *cells = grown;
        let rule = format!("when {number}: {} in {}", grid_text(&when.grid), counted(hit, "cell"));
        self.step(rule, cells.len() as u64);
        Ok(())
    }

    fn exclude(
        &mut self,
        number: u32,
        matches: &'s Match,
        cells: &mut Vec<Vec<&'s Setting>>,
    ) -> Result<(), PlanError> {
        let before = cells.len();
        cells.retain(|picks| !self.is_hit(picks, matches));
        let hit = (before - cells.len()) as u64;
        self.check_hits(hit, matches)?;
        if cells.is_empty() {
            return Err(
                Fault::new("no cell is left", &matches.site, "excludes the last ones").into()
            );
        }
        self.step(format!("exclude {number}: {} less", counted(hit, "cell")), cells.len() as u64);
        Ok(())
    }

    fn is_hit(&self, picks: &[&'s Setting], matches: &Match) -> bool {
        let mut cell = self.base.clone();
        cell.say(Layer::Axis, picks.iter().copied());
        cell.matches(matches)
    }

    fn check_hits(&self, hits: u64, matches: &Match) -> Result<(), PlanError> {
        let touched = |site: &Setting| {
            let mut conditions = matches.conditions.iter();
            conditions.any(|condition| condition.allowed.iter().any(|a| a.key == site.key))
        };
        if hits > 0 || self.overridden.iter().any(touched) {
            return Ok(());
        }
        let fault = Fault::new("this match hits no cell", &matches.site, "matches nothing");
        Err(fault
            .help("a rule without effect is most likely a slip; take it out or correct it")
            .into())
    }

    fn arms(&mut self, cells: Vec<Vec<&'s Setting>>) -> Result<Vec<Draft<'s>>, PlanError> {
        let arms = &self.rules.arms;
        self.check(cells.len() as u64)?;
        if arms.is_empty() {
            let draft = |picks| Draft { picks, origin: Origin::Grid };
            return Ok(cells.into_iter().map(draft).collect());
        }
        let origins = std::iter::once(Origin::Baseline).chain(arms.iter().map(Origin::Arm));
        let drafts: Vec<_> = cells
            .iter()
            .flat_map(|picks| origins.clone().map(|origin| Draft { picks: picks.clone(), origin }))
            .collect();
        self.step(format!("arms: baseline + {}", arms.len()), drafts.len() as u64);
        Ok(drafts)
    }
}

fn grid_size(grid: &Grid) -> u64 {
    grid.axes.iter().map(|axis| axis.values.len() as u64).fold(1, u64::saturating_mul)
}

fn grid_text(grid: &Grid) -> String {
    let axis = |axis: &Axis| format!("{} {}", axis.values.len(), axis.key.path());
    grid.axes.iter().map(axis).collect::<Vec<_>>().join(" x ")
}

pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Appends `start` with every combination of the grid's values; the last axis turns fastest.
fn product<'s>(start: &[&'s Setting], grid: &'s Grid, cells: &mut Vec<Vec<&'s Setting>>) {
    let mut turns = vec![0; grid.axes.len()];
    loop {
        let picks = grid.axes.iter().zip(&turns).map(|(axis, turn)| &axis.values[*turn]);
        cells.push(start.iter().copied().chain(picks).collect());
        let wheel = (0..turns.len()).rev().find(|i| turns[*i] + 1 < grid.axes[*i].values.len());
        let Some(wheel) = wheel else { return };
        turns[wheel] += 1;
        turns[wheel + 1..].fill(0);
    }
}

/// Returns the keys of grids, zips, whens and includes, in the order of the file.
pub(crate) fn axes_in_order(rules: &Rules) -> Vec<&'static str> {
    let whens = rules.whens.iter().map(|when| &when.grid);
    let grids = rules.grids.iter().chain(whens).flat_map(|grid| &grid.axes);
    let zips = rules.zips.iter().flat_map(|zip| &zip.axes);
    let axes = grids.chain(zips).map(|axis| (&axis.key_site, axis.key));
    let includes = rules.includes.iter().flat_map(|include| &include.settings);
    let includes = includes.map(|setting| (&setting.key_site, setting.key));
    let mut all: Vec<(&Site, _)> = axes.chain(includes).collect();
    all.sort_by_key(|(site, _)| site.span().start);
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|(_, key)| seen.insert(*key)).map(|(_, key)| key.path()).collect()
}
