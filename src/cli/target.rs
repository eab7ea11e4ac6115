//! What verbs act on, as it is typed and as it is found: a sweep, or trials of one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::args::ReaderArgs;
use super::exit::NothingMatched;
use super::places::Places;
use super::reading::{self, Reading};
use crate::filter::{self, Facts, Filter, Subject};
use crate::ids::TrainKey;
use crate::spec::SpecError;
use crate::store::rows::{Finals, SweepRow, TrialRow, Wished};
use crate::verbs;

/// Longest name of a tag.
const LONGEST_TAG: usize = 64;

/// A sweep, or trials of one.
#[derive(Debug, clap::Args)]
pub struct TargetArgs {
    /// Name of a sweep, `@` for the latest, or a trial's number or prefix of its key.
    #[arg(default_value = "@")]
    target: String,
    /// The sweep that numbers count in.
    #[arg(long, value_name = "NAME")]
    sweep: Option<String>,
    /// Only trials of which this is true: `metric.linear_top1 < 0.2` (docs/filters.md).
    #[arg(short = 'E', long, value_name = "EXPRESSION")]
    filter: Option<String>,
}

/// `pause`, `resume` and `retry`.
#[derive(Debug, clap::Args)]
pub struct HoldArgs {
    /// What it is about.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `stop` and `kill`.
#[derive(Debug, clap::Args)]
pub struct StopArgs {
    /// What it is about.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How long to wait for attempts that no run watches.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub wait: Duration,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `wait`.
#[derive(Debug, clap::Args)]
pub struct WaitArgs {
    /// What it is about.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Ends with code 5 after this time.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `tag`.
#[derive(Debug, clap::Args)]
pub struct TagArgs {
    /// What it is about.
    #[command(flatten)]
    pub target: TargetArgs,
    /// A name to have: letters, digits, `.`, `_` and `-`.
    #[arg(long, value_name = "NAME", value_parser = tag)]
    pub add: Vec<String>,
    /// A name not to have.
    #[arg(long, value_name = "NAME", value_parser = tag)]
    pub remove: Vec<String>,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `rm` and `restore`.
#[derive(Debug, clap::Args)]
pub struct SweepArgs {
    /// Name of a sweep, or `@` for the latest.
    pub sweep: String,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

fn tag(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=LONGEST_TAG).contains(&text.len()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("a tag has 1 to {LONGEST_TAG} letters, digits, `.`, `_` and `-`"))
}

/// Whether a verb is about a sweep as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// It is.
    Sweep,
    /// It is about these trials alone.
    Trials,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) sweep: SweepRow,
    pub(super) scope: Scope,
    /// At least one.
    pub(super) trials: Vec<TrialRow>,
    /// What is wished of them, where anything is.
    pub(super) wished: HashMap<TrainKey, Wished>,
}

impl Target {
    /// Finds what was typed.
    pub(super) fn find(args: &TargetArgs, reading: &Reading) -> anyhow::Result<Self> {
        let (sweep, scope, trials) = named(args, reading)?;
        let wished = reading.wait(reading.store.wished(&reading::keys(&trials)))?;
        let mut target = Self { sweep, scope, trials, wished };
        if let Some(text) = &args.filter {
            target.choose(text, reading)?;
        }
        if target.trials.is_empty() {
            let text = format!("no trial of {} matches", target.sweep.name);
            return Err(NothingMatched(text).into());
        }
        Ok(target)
    }

    fn choose(&mut self, text: &str, reading: &Reading) -> anyhow::Result<()> {
        let filter = Filter::parse(text).map_err(SpecError::from)?;
        let interrupted = reading.interrupted(&self.trials)?;
        let keys = reading::keys(&self.trials);
        let finals = reading.wait(reading.store.finals(&self.sweep.eval_key, &keys))?;
        let subjects = subjects(&self.trials, &finals, &self.wished, &interrupted);
        let chosen = filter.choose(&subjects).map_err(SpecError::from)?;
        self.scope = Scope::Trials;
        self.trials = chosen.into_iter().map(|place| self.trials[place].clone()).collect();
        Ok(())
    }

    /// Keeps these trials only: those that a verb had something to do with.
    pub(super) fn only(mut self, keys: &[TrainKey]) -> Self {
        self.trials.retain(|trial| keys.contains(&trial.train_key));
        self
    }

    /// Returns what verbs that act take.
    pub(super) fn subject<'a>(&'a self, places: &'a Places) -> verbs::Subject<'a> {
        let scope = match self.scope {
            Scope::Sweep => verbs::Scope::Sweep,
            Scope::Trials => verbs::Scope::Trials(self.keys()),
        };
        verbs::Subject { state: &places.state, sweep: &self.sweep.name, scope }
    }

    /// Returns the keys of the trials.
    pub(super) fn keys(&self) -> Vec<TrainKey> {
        reading::keys(&self.trials)
    }
}

/// Finds what the name alone means: a sweep before a trial.
fn named(args: &TargetArgs, reading: &Reading) -> anyhow::Result<(SweepRow, Scope, Vec<TrialRow>)> {
    let name = args.target.as_str();
    let is_sweep = name == "@" || reading.wait(reading.store.sweep(name))?.is_some();
    let whole = match (&args.sweep, is_sweep) {
        (None, true) => Some(name),
        // `--sweep NAME -E ...` names no trial.
        (Some(sweep), true) if name == "@" => Some(sweep.as_str()),
        (Some(_) | None, _) => None,
    };
    if let Some(name) = whole {
        let sweep = reading.sweep(name)?;
        let trials = reading.wait(reading.store.trials(&sweep))?;
        return Ok((sweep, Scope::Sweep, trials));
    }
    let is_trial = name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if args.sweep.is_none() && !is_trial {
        // Says which sweeps there are.
        reading.sweep(name)?;
    }
    let (sweep, trial) = reading.trial(args.sweep.as_deref().unwrap_or("@"), name)?;
    Ok((sweep, Scope::Trials, vec![trial]))
}

/// Returns trials as filters see them.
pub(super) fn subjects<'t>(
    trials: &'t [TrialRow],
    finals: &'t [Finals],
    wished: &'t HashMap<TrainKey, Wished>,
    interrupted: &HashSet<TrainKey>,
) -> Vec<Subject<'t>> {
    let finals: HashMap<&TrainKey, &BTreeMap<String, f64>> =
        finals.iter().map(|finals| (&finals.train_key, &finals.values)).collect();
    let facts = |trial: &'t TrialRow| {
        let wished = wished.get(&trial.train_key);
        Facts {
            trial,
            finals: finals.get(&trial.train_key).copied(),
            is_interrupted: interrupted.contains(&trial.train_key),
            is_held: wished.is_some_and(|wished| wished.held_ms.is_some()),
            tags: wished.map_or(&[], |wished| &wished.tags),
        }
    };
    filter::subjects(trials.iter().map(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_short_plain_word() {
        assert_eq!(tag("paper-2.1_b"), Ok("paper-2.1_b".to_owned()));
        for wrong in ["", "two words", "é", "a/b", &"x".repeat(65)] {
            assert!(tag(wrong).is_err(), "{wrong}");
        }
    }
}
