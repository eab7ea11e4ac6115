//! Which setting of ours a column of the paper's tables is about, and what the paper writes there
//! for a run. Columns that are not listed hold results or words for people. Knows nothing of rows.

use super::{Entry, PublishedTable};
use crate::spec::run::{Loss, Normalization, NtXentScale, Predictor, RunSpec, Target};

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
    column("base_lr", "optimizer.base_lr", |run| Printed::Number(run.optimizer.base_lr())),
    column("weight_decay", "optimizer.weight_decay", |run| {
        Printed::Number(run.optimizer.weight_decay())
    }),
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
        Loss::InfoNce { temperature, .. }
        | Loss::NtXent { temperature, scale: NtXentScale::InfoNce } => Printed::Number(temperature),
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

/// Returns whether a run has what all rows of this table share: where no column is about a knob of
/// the family, the knob is BYOL's. In tables of both methods, SimCLR is the reproduction with its
/// own loss (67.9), not the corner of the family (69.4; appendix F.5).
pub(super) fn may_be_row(table: &PublishedTable, method: Option<&str>, run: &RunSpec) -> bool {
    let varies = |path: &str| {
        COLUMNS
            .iter()
            .any(|column| column.path == path && table.columns.contains(&column.name.to_owned()))
    };
    if table.is_of_both_methods() && method == Some("simclr") {
        let own = matches!(
            run.loss,
            Loss::NtXent { scale: NtXentScale::MeanOverViews | NtXentScale::SumOfDirections, .. }
        );
        return own && run.predictor.is_none() && run.target == Target::Online;
    }
    let target = match kind(run.target) {
        Kind::MovingAverage => !WITHOUT_AVERAGE.contains(&table.id.as_str()),
        Kind::Copy => varies("target") || WITHOUT_AVERAGE.contains(&table.id.as_str()),
        Kind::Constant | Kind::Online => varies("target"),
    };
    let loss = match run.loss {
        Loss::Regression { normalization: Normalization::L2 } => true,
        Loss::Regression { .. } => varies("loss_normalization"),
        Loss::NtXent { .. } | Loss::InfoNce { .. } => varies("beta"),
    };
    target && loss && has_byols_heads(run, &varies)
}

fn has_byols_heads(run: &RunSpec, varies: &dyn Fn(&str) -> bool) -> bool {
    let predictor = match &run.predictor {
        Some(Predictor::Head(head)) => {
            head.lr_multiplier == 1.0 || varies("predictor.lr_multiplier")
        }
        Some(Predictor::Optimal(_)) => false,
        None => varies("predictor.kind"),
    };
    predictor && (run.projector.lr_multiplier == 1.0 || varies("projector.lr_multiplier"))
}

/// Returns whether a run is the baseline that Table 21 tells in its caption: BYOL with its moving
/// average, and no learning rate multiplied.
pub(super) fn is_baseline(run: &RunSpec) -> bool {
    kind(run.target) == Kind::MovingAverage
        && run.loss == Loss::Regression { normalization: Normalization::L2 }
        && has_byols_heads(run, &|_| false)
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
        Loss::NtXent { scale: NtXentScale::InfoNce, .. } => Printed::Number(1.0),
        Loss::NtXent { .. } => Printed::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TABLES, ids, table};
    use super::*;
    use crate::spec::Key;
    use crate::spec::run::TauSchedule;

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

    fn byol() -> RunSpec {
        let text = include_str!("../../tests/fixtures/run.json");
        let mut run: RunSpec = serde_json::from_str(text).unwrap();
        let head = run.projector.clone();
        run.predictor = Some(Predictor::Head(head));
        run.target = Target::Average { tau_base: 0.99, schedule: TauSchedule::Cosine };
        run.loss = Loss::Regression { normalization: Normalization::L2 };
        run
    }

    #[test]
    fn what_a_table_does_not_vary_must_be_byols() {
        let may = |id: &str, run: &RunSpec| may_be_row(table(id).unwrap(), Some("byol"), run);
        let changed = |change: &dyn Fn(&mut RunSpec)| {
            let mut run = byol();
            change(&mut run);
            run
        };
        let rate = "ablation_learning_rate";
        assert!(may(rate, &byol()));
        let without_predictor = changed(&|run| run.predictor = None);
        let online = changed(&|run| run.target = Target::Online);
        let negatives = changed(&|run| run.loss = Loss::InfoNce { beta: 0.5, temperature: 0.1 });
        let layer = changed(&|run| {
            run.loss = Loss::Regression { normalization: Normalization::Layer };
        });
        let faster = changed(&|run| run.projector.lr_multiplier = 2.0);
        for other in [&without_predictor, &online, &negatives, &layer, &faster] {
            assert!(!may(rate, other), "{other:?}");
            assert!(!is_baseline(other), "{other:?}");
        }
        assert!(is_baseline(&byol()));
        assert!(may("ablation_byol_simclr_variants", &without_predictor));
        assert!(may("ablation_byol_simclr_variants", &online));
        assert!(may("ablation_beta_temperature", &negatives));
        assert!(may("ablation_loss_normalization", &layer));
        assert!(!may("ablation_target_modes", &without_predictor));
    }

    /// The reproduction with its own loss has 67.9, the corner of the family 69.4.
    #[test]
    fn the_two_simclrs_are_not_mixed() {
        let simclr = |scale| RunSpec {
            predictor: None,
            target: Target::Online,
            loss: Loss::NtXent { temperature: 0.1, scale },
            ..byol()
        };
        let batches = table("ablation_batch_size").unwrap();
        let may = |run: &RunSpec| may_be_row(batches, Some("simclr"), run);
        assert!(may(&simclr(NtXentScale::MeanOverViews)));
        assert!(may(&simclr(NtXentScale::SumOfDirections)));
        assert!(!may(&simclr(NtXentScale::InfoNce)));
        assert!(!may(&byol()), "an axis of that name does not make it one");
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
