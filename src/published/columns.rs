//! Which setting of ours a column of the paper's tables is about, and what the paper writes there
//! for a run. Columns that are not listed hold results or words for people. Knows nothing of rows.

use super::Entry;
use crate::spec::run::{Loss, Normalization, OptimizerSpec, Predictor, RunSpec, Target};

/// What the paper writes in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Printed {
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
    /// Words.
    Text(&'static str),
    /// Anything: the setting does not act in the run.
    Any,
    /// The paper has no row for this.
    Nothing,
}

impl Printed {
    /// Returns whether this entry says it.
    pub(super) fn fits(self, entry: Option<&Entry>) -> bool {
        match (self, entry) {
            (Self::Any, _) => true,
            (Self::Number(ours), Some(Entry::Number(printed))) => {
                (ours - printed).abs() <= 1e-9 * printed.abs().max(1e-9)
            }
            (Self::Flag(ours), Some(Entry::Flag(printed))) => ours == *printed,
            (Self::Text(ours), Some(Entry::Text(printed))) => ours == printed,
            (Self::Number(_) | Self::Flag(_) | Self::Text(_), _) | (Self::Nothing, _) => false,
        }
    }
}

/// A column, the setting that it is about, and what the paper writes there for a run.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) printed: fn(&RunSpec) -> Printed,
}

const fn column(
    name: &'static str,
    path: &'static str,
    printed: fn(&RunSpec) -> Printed,
) -> Column {
    Column { name, path, printed }
}

/// All columns that are about settings.
pub(super) const COLUMNS: [Column; 16] = [
    column("batch_size", "batch_size", |run| Printed::Number(run.batch_size.into())),
    column("base_lr", "optimizer.base_lr", |run| Printed::Number(rates(run).0)),
    column("weight_decay", "optimizer.weight_decay", |run| Printed::Number(rates(run).1)),
    column("projector_depth", "projector.depth", |run| depth(run.projector.hidden.len())),
    column("predictor_depth", "predictor.depth", predictor_depth),
    column("projection_dim", "projector.out", |run| Printed::Number(run.projector.out.into())),
    column("mu_projector_lr", "projector.lr_multiplier", |run| {
        Printed::Number(run.projector.lr_multiplier)
    }),
    column("lambda_predictor_lr", "predictor.lr_multiplier", predictor_lr),
    column("predictor", "predictor.kind", has_predictor),
    // Table 5a.
    column("target", "target", |run| match kind(run.target) {
        Kind::Constant => Printed::Text("constant random network"),
        Kind::MovingAverage => Printed::Text("moving average of online"),
        Kind::Copy => Printed::Text("stop gradient of online"),
        Kind::Online => Printed::Nothing,
    }),
    column("tau_base", "tau_base", |run| match run.target {
        Target::Average { tau_base, .. } => Printed::Number(tau_base),
        Target::Online => Printed::Nothing,
    }),
    // Table 5b: without a target network the gradient flows through both branches.
    column("target_network", "target", |run| match kind(run.target) {
        Kind::MovingAverage => Printed::Flag(true),
        Kind::Online => Printed::Flag(false),
        Kind::Constant | Kind::Copy => Printed::Nothing,
    }),
    // Table 19.
    column("target_parameters", "target", |run| match kind(run.target) {
        Kind::MovingAverage => Printed::Text("xi"),
        Kind::Copy => Printed::Text("sg(theta)"),
        Kind::Online => Printed::Text("theta"),
        Kind::Constant => Printed::Nothing,
    }),
    column("beta", "beta", beta),
    column("alpha", "temperature", |run| match run.loss {
        Loss::InfoNce { temperature, .. } => Printed::Number(temperature),
        Loss::NtXent { .. } => Printed::Nothing,
        Loss::Regression { .. } => Printed::Any,
    }),
    column("normalization", "loss_normalization", |run| match run.loss {
        Loss::Regression { normalization } => Printed::Text(match normalization {
            Normalization::L2 => "l2-norm",
            Normalization::Layer => "LayerNorm",
            Normalization::Batch => "BatchNorm",
            Normalization::None => "no normalization",
        }),
        Loss::NtXent { .. } | Loss::InfoNce { .. } => Printed::Nothing,
    }),
];

/// Tables whose rows all have the online network itself, without gradient, for a target.
const WITHOUT_AVERAGE: [&str; 2] = ["ablation_predictor_lr", "ablation_projector_predictor_lr"];

/// Returns whether a run has what all rows of this table share.
pub(super) fn may_be_row(table: &str, run: &RunSpec) -> bool {
    !WITHOUT_AVERAGE.contains(&table) || kind(run.target) == Kind::Copy
}

/// Returns whether a run is the baseline that Table 21 tells in its caption: a moving average, and
/// no learning rate multiplied.
pub(super) fn is_baseline(run: &RunSpec) -> bool {
    kind(run.target) == Kind::MovingAverage
        && run.projector.lr_multiplier == 1.0
        && predictor_lr(run) == Printed::Number(1.0)
}

/// The four targets of the paper.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// tau = 1: never moves.
    Constant,
    MovingAverage,
    /// tau = 0: the online network without gradient.
    Copy,
    Online,
}

fn kind(target: Target) -> Kind {
    match target {
        Target::Average { tau_base: 0.0, .. } => Kind::Copy,
        Target::Average { tau_base: 1.0, .. } => Kind::Constant,
        Target::Average { .. } => Kind::MovingAverage,
        Target::Online => Kind::Online,
    }
}

/// Base learning rate and weight decay.
fn rates(run: &RunSpec) -> (f64, f64) {
    match run.optimizer {
        OptimizerSpec::Lars { base_lr, weight_decay, .. }
        | OptimizerSpec::Sgd { base_lr, weight_decay, .. } => (base_lr, weight_decay),
    }
}

/// The paper counts linear layers: one more than there are hidden ones.
fn depth(hidden: usize) -> Printed {
    u32::try_from(hidden + 1).map_or(Printed::Nothing, |layers| Printed::Number(layers.into()))
}

fn predictor_depth(run: &RunSpec) -> Printed {
    match &run.predictor {
        Some(Predictor::Head(head)) => depth(head.hidden.len()),
        Some(Predictor::Optimal(_)) | None => Printed::Nothing,
    }
}

fn predictor_lr(run: &RunSpec) -> Printed {
    match &run.predictor {
        Some(Predictor::Head(head)) => Printed::Number(head.lr_multiplier),
        Some(Predictor::Optimal(_)) | None => Printed::Nothing,
    }
}

fn has_predictor(run: &RunSpec) -> Printed {
    match &run.predictor {
        Some(Predictor::Head(_)) => Printed::Flag(true),
        Some(Predictor::Optimal(_)) => Printed::Nothing,
        None => Printed::Flag(false),
    }
}

/// The weight of the negatives in InfoNCE. SimCLR's own loss has another constant in front: the
/// paper's tables that vary beta do not have it (appendix F.5).
fn beta(run: &RunSpec) -> Printed {
    match run.loss {
        Loss::Regression { .. } => Printed::Number(0.0),
        Loss::InfoNce { beta, .. } => Printed::Number(beta),
        Loss::NtXent { .. } => Printed::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TABLES, ids, table};
    use super::*;
    use crate::spec::Key;

    #[test]
    fn every_path_is_a_setting_and_every_column_is_the_papers() {
        for column in &COLUMNS {
            assert!(Key::named(column.path).is_some(), "{}", column.path);
            let known = TABLES.iter().any(|table| table.columns.iter().any(|c| c == column.name));
            assert!(known, "no table has a column `{}`", column.name);
        }
        for id in WITHOUT_AVERAGE {
            assert!(table(id).is_some(), "{id}");
        }
    }

    /// Apart from results there are three columns that no setting of ours is behind: names of rows,
    /// and a number that follows from the batch size.
    #[test]
    fn no_column_of_a_setting_is_left_out() {
        let mut left_out: Vec<&str> = ids()
            .filter_map(table)
            .flat_map(|table| &table.columns)
            .map(String::as_str)
            .filter(|name| !name.contains("top") && COLUMNS.iter().all(|c| c.name != *name))
            .collect();
        left_out.sort_unstable();
        left_out.dedup();
        assert_eq!(left_out, ["accumulation_N", "augmentation", "method"]);
    }
}
