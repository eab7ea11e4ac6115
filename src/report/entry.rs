//! How an estimate is written: its mean, its spread of the kind that the sweep asks for, its p.
//! Knows nothing of cells.

use super::bootstrap;
use super::estimate::Estimate;
use super::metric::Metric;
use super::significance::{self, LEVEL};
use crate::spec::sweep::SpreadKind;

/// Returns mean and spread: `44.1 ± 4.2`, `44.1 [33.7, 54.4]`, or the mean alone for one seed.
pub(super) fn mean(metric: Metric<'_>, estimate: Estimate, kind: SpreadKind) -> String {
    let mean = metric.shown(estimate.mean);
    let spread = match kind {
        SpreadKind::Sd => sd(metric, estimate).map(|sd| format!(" ± {sd}")),
        SpreadKind::T95 | SpreadKind::Bca95 => {
            interval(metric, estimate, kind).map(|interval| format!(" {interval}"))
        }
    };
    mean + &spread.unwrap_or_default()
}

/// Returns the standard deviation.
pub(super) fn sd(metric: Metric<'_>, estimate: Estimate) -> Option<String> {
    estimate.sd().map(|sd| metric.shown(sd))
}

/// Returns the 95 % interval of the mean: Student's unless the bootstrap's is asked for. None where
/// all seeds are equal: it would have no width.
pub(super) fn interval(metric: Metric<'_>, estimate: Estimate, kind: SpreadKind) -> Option<String> {
    let kind = match kind {
        SpreadKind::Sd | SpreadKind::T95 => SpreadKind::T95,
        SpreadKind::Bca95 => SpreadKind::Bca95,
    };
    let ends = estimate.range(kind).filter(|_| significance::has_scatter(&estimate))?;
    Some(brackets(metric, ends))
}

fn brackets(metric: Metric<'_>, (low, high): (f64, f64)) -> String {
    format!("[{}, {}]", metric.shown(low), metric.shown(high))
}

/// Returns a p as text, on the right side of the level.
pub(super) fn p(p: f64) -> String {
    match p {
        p if p < 0.001 => "< 0.001".to_owned(),
        p if (0.0495..LEVEL).contains(&p) => "< 0.05".to_owned(),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

/// Returns what the spread behind a mean is.
pub(super) fn note(kind: SpreadKind) -> String {
    let intervals = "each setting by itself: they are not widened for picking the extremes of many";
    match kind {
        SpreadKind::Sd => format!(
            "± is the standard deviation over seeds (n − 1); intervals are 95 % Student-t intervals of the mean, {intervals}."
        ),
        SpreadKind::T95 => {
            format!("Intervals are 95 % Student-t intervals of the mean over seeds, {intervals}.")
        }
        SpreadKind::Bca95 => format!(
            "Intervals are 95 % BCa bootstrap intervals of the mean over seeds, {intervals}. Below {} seeds they are Student-t intervals. With few seeds the bootstrap's are too narrow: of five normal values they hold the true mean 84 times in 100.",
            bootstrap::LEAST
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP1: Metric<'_> = Metric("linear_top1");

    #[test]
    fn a_spread_is_written_by_its_kind_and_one_seed_has_none() {
        let five = Estimate::bootstrapped([0.431, 0.442, 0.437, 0.297, 0.445]).unwrap();
        assert_eq!(mean(TOP1, five, SpreadKind::Sd), "41.0 ± 6.4");
        assert_eq!(mean(TOP1, five, SpreadKind::T95), "41.0 [33.1, 48.9]");
        let bca = mean(TOP1, five, SpreadKind::Bca95);
        assert!(bca.starts_with("41.0 [32.") && bca.ends_with(", 44.1]"), "{bca}");
        assert_eq!(interval(TOP1, five, SpreadKind::Sd).unwrap(), "[33.1, 48.9]");
        assert_ne!(interval(TOP1, five, SpreadKind::Bca95).unwrap(), "[33.1, 48.9]");
        let one = Estimate::bootstrapped([0.431]).unwrap();
        for kind in [SpreadKind::Sd, SpreadKind::T95, SpreadKind::Bca95] {
            assert_eq!(mean(TOP1, one, kind), "43.1");
            assert_eq!(interval(TOP1, one, kind), None);
        }
    }

    #[test]
    fn equal_seeds_have_no_interval() {
        let equal = Estimate::bootstrapped([0.3 - 0.2, 0.4 - 0.3, 0.6 - 0.5]).unwrap();
        assert_eq!(mean(TOP1, equal, SpreadKind::Sd), "10.0 ± 0.0");
        assert_eq!(mean(TOP1, equal, SpreadKind::T95), "10.0");
        assert_eq!(interval(TOP1, equal, SpreadKind::Sd), None);
    }

    #[test]
    fn p_is_never_rounded_to_nothing_or_across_the_level() {
        let shown = [0.0004, 0.0123, 0.0499, 0.0501, 0.42, 1.0].map(p);
        assert_eq!(shown, ["< 0.001", "0.012", "< 0.05", "0.050", "0.42", "1.00"]);
    }
}
