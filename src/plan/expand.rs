//! From a parsed sweep to its plan: cells are resolved, equal ones merged, seeds multiplied.
//! Pure: measured digests are handed in.

use std::path::{Path, PathBuf};

use super::compose::{Composer, Draft, axes_in_order, counted};
use super::error::PlanError;
use super::groups::Groups;
use super::{Limit, Plan, PlannedTrial, RuleCount};
use crate::spec::cell::{Cell, Layer};
use crate::spec::early::{Compared, EarlyStop};
use crate::spec::eval::{EVAL_SEMANTICS, EvalSpec};
use crate::spec::source::{Digests, source, train_images};
use crate::spec::sweep::Scale;
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
    let early_stop = early_stop(sweep, &groups.firsts)?;
    let trials = groups.with_seeds(seeds);
    let rule = counted(seeds.len() as u64, "seed");
    steps.push(RuleCount { rule, cells: trials.len() as u64 });

    let (eval, eval_data_path) = evaluation(sweep, &digests)?;
    let mut meta = sweep.tables.meta.clone();
    meta.eval_data_path = eval_data_path;
    meta.early_stop = early_stop;
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

/// Returns the policy that stops settings early. A smoke run lets every cell come to its end.
fn early_stop(sweep: &RawSweep, firsts: &[PlannedTrial]) -> Result<Option<EarlyStop>, Fault> {
    match sweep.tables.meta.scale {
        Scale::Smoke => return Ok(None),
        Scale::Full => {}
    }
    let Some(first) = firsts.first() else { return Ok(None) };
    let data = &first.run.data;
    let alike =
        |trial: &PlannedTrial| trial.run.data == *data && trial.data_path == first.data_path;
    let compared = Compared {
        epochs: firsts.iter().map(|trial| trial.run.epochs).collect(),
        same_images: firsts.iter().all(alike),
        images: data.subset.map(|subset| subset.images).or_else(|| train_images(&data.source)),
    };
    sweep.tables.early_stop.resolve(&compared)
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
