//! From a parsed sweep to its plan: cells are resolved, equal ones merged, seeds multiplied.
//! Pure: measured digests are handed in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::compose::{Composer, Draft, Origin, axes_in_order, counted};
use super::error::PlanError;
use super::{Label, Limit, Plan, PlannedTrial, RuleCount};
use crate::ids::{GroupKey, TrainKey};
use crate::spec::cell::{Cell, Layer};
use crate::spec::eval::{EVAL_SEMANTICS, EvalSpec};
use crate::spec::resolve::{Resolved, resolve};
use crate::spec::rules::BASELINE;
use crate::spec::source::{Digests, source};
use crate::spec::{Fault, Key, Plain, RawSweep, Setting, Value};

/// What a plan is made with, apart from the file.
pub struct Request<'a> {
    /// `--set key=value`.
    pub overrides: &'a [(String, String)],
    /// Returns the measured digest of the images at a path, where it is known.
    pub digests: &'a dyn Fn(&Path) -> Option<String>,
    /// How many cells are fine.
    pub limit: Limit,
}

/// Returns the plan of a sweep: the same file gives the same plan on any machine.
///
/// # Errors
/// Fails where settings do not go together, a rule has no effect, or the cells are too many.
pub fn expand(sweep: &RawSweep, request: &Request<'_>) -> Result<Plan, PlanError> {
    let mut sweep = sweep.clone();
    let overrides = sweep.override_with(request.overrides)?.settings;
    let sweep = &sweep;
    let digests = measured(sweep, &overrides, request.digests);

    let mut base = Cell::new(&sweep.top);
    base.say(Layer::Base, &sweep.rules.base);
    base.say(Layer::Set, &overrides);
    let seeds = &sweep.tables.seeds;
    let composer =
        Composer::new(&sweep.rules, &base, &overrides, seeds.len() as u64, request.limit);
    let (drafts, mut steps) = composer.compose()?;

    check_overrides_act(&overrides, &drafts, &base)?;
    let groups = Groups::of(&drafts, &base, &digests, seeds, sweep)?;
    check_updates_said(&drafts, &groups.firsts, &base)?;
    let merged = (drafts.len() - groups.firsts.len()) as u64;
    if merged > 0 {
        let rule = format!("merge: {}", counted(merged, "equal cell"));
        steps.push(RuleCount { rule, cells: groups.firsts.len() as u64 });
    }
    let trials = groups.with_seeds(seeds);
    let rule = counted(seeds.len() as u64, "seed");
    steps.push(RuleCount { rule, cells: trials.len() as u64 });

    let (eval, eval_data_path) = evaluation(sweep, &digests)?;
    let mut meta = sweep.tables.meta.clone();
    meta.eval_data_path = eval_data_path;
    Ok(Plan {
        meta,
        eval_key: eval.eval_key(),
        eval,
        trials,
        axes: axes_in_order(&sweep.rules).into_iter().map(ToOwned::to_owned).collect(),
        steps,
        source_toml: sweep.text.clone(),
    })
}

/// Asks for the digest of every path that the sweep names, once.
fn measured(
    sweep: &RawSweep,
    overrides: &[Setting],
    digests: &dyn Fn(&Path) -> Option<String>,
) -> Digests {
    let rules = &sweep.rules;
    let grids = rules.grids.iter().chain(rules.whens.iter().map(|when| &when.grid));
    let axes = grids.flat_map(|grid| &grid.axes).chain(rules.zips.iter().flat_map(|zip| &zip.axes));
    let paths = axes
        .flat_map(|axis| &axis.values)
        .chain(rules.arms.iter().flat_map(|arm| &arm.settings))
        .chain(rules.includes.iter().flat_map(|include| &include.settings))
        .chain(&rules.base)
        .chain(&sweep.tables.eval_data)
        .chain(overrides)
        .filter(|setting| setting.key == Key::Plain(Plain::DataPath));
    let digest = |setting: &Setting| match &setting.value {
        Value::Text(path) => Some((PathBuf::from(path), digests(Path::new(path))?)),
        Value::Int(_) | Value::Float(_) | Value::Word(_) | Value::Sizes(_) | Value::Ops(_) => None,
    };
    paths.filter_map(digest).collect()
}

fn evaluation(sweep: &RawSweep, digests: &Digests) -> Result<(EvalSpec, Option<PathBuf>), Fault> {
    let tables = &sweep.tables;
    let (data, path) = if tables.eval_data.is_empty() {
        (None, None)
    } else {
        let mut cell = Cell::new(&sweep.top);
        cell.say(Layer::Base, &tables.eval_data);
        for setting in &tables.eval_data {
            cell.check_acts(Layer::Base, setting)?;
        }
        let (source, path) = source(&cell, digests)?;
        (Some(source), path)
    };
    let eval = EvalSpec {
        semantics: EVAL_SEMANTICS,
        data,
        knn: tables.knn,
        linear: tables.linear.clone(),
    };
    Ok((eval, path))
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
) -> Result<Made, Fault> {
    let cell = draft.cell(base);
    draft.check_acts(&cell)?;
    let resolved = resolve(&cell, digests)?;
    let group_json = resolved.run.group_json();
    let train_key = |seed: &u64| {
        // The only null seed in it: a subset or a generator always has a number.
        let json = group_json.replacen("\"seed\":null", &format!("\"seed\":{seed}"), 1);
        TrainKey::of_canonical_json(&json)
    };
    Ok(Made {
        group_key: GroupKey::of_canonical_json(&group_json),
        train_keys: seeds.iter().map(train_key).collect(),
        label: label(draft, &cell),
        resolved,
    })
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

/// Checks that every `--set` acts in some cell.
fn check_overrides_act(
    overrides: &[Setting],
    drafts: &[Draft<'_>],
    base: &Cell<'_>,
) -> Result<(), Fault> {
    for setting in overrides {
        let mut checks =
            drafts.iter().map(|draft| draft.cell(base).check_acts(Layer::Set, setting));
        if !checks.any(|check| check.is_ok())
            && let Some(draft) = drafts.first()
        {
            draft.cell(base).check_acts(Layer::Set, setting)?;
        }
    }
    Ok(())
}

/// Where `batch_size` varies, two studies are possible, and the file must say which.
fn check_updates_said(
    drafts: &[Draft<'_>],
    firsts: &[PlannedTrial],
    base: &Cell<'_>,
) -> Result<(), Fault> {
    let Some(first) = firsts.first() else { return Ok(()) };
    if firsts.iter().all(|trial| trial.run.batch_size == first.run.batch_size) {
        return Ok(());
    }
    let (batch, update) = (Key::Plain(Plain::BatchSize), Key::Plain(Plain::UpdateBatchSize));
    let unsaid =
        drafts.iter().map(|draft| draft.cell(base)).find(|cell| cell.said(update).is_none());
    match unsaid {
        None => Ok(()),
        Some(cell) => Err(cell
            .fault("`batch_size` varies, but `update_batch_size` is not said", &[batch], "varies")
            .help(
                "two studies are possible, say which under [base]:\n`update_batch_size = 4096` keeps the update and varies what BatchNorm and the negatives see;\n`update_batch_size = \"same\"` varies the update too, and the learning rate scales with it",
            )),
    }
}

/// Cells made at a time: enough for all cores, few enough to leave memory to the plan.
const CHUNK: usize = 4096;

/// Different cells in the order of their first, equal ones joined.
struct Groups {
    /// Each with the first seed.
    firsts: Vec<PlannedTrial>,
    /// For each the keys with the other seeds.
    others: Vec<Vec<TrainKey>>,
}

impl Groups {
    fn of(
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
            let made: Vec<Result<Made, Fault>> =
                chunk.par_iter().map(|draft| make(draft, base, digests, seeds)).collect();
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
            labels: vec![label],
        });
    }

    /// Breadth first: every group with the first seed, then every group with the second.
    fn with_seeds(self, seeds: &[u64]) -> Vec<PlannedTrial> {
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
        first.labels.push(made.label);
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
