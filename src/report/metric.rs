//! Metrics as people read them: words instead of keys, percent instead of fractions.

use super::estimate::Estimate;
use crate::spec::sweep::SpreadKind;

/// Name of a metric as the store has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric<'a>(pub(super) &'a str);

impl Metric<'_> {
    /// Returns the name in words: `linear top-1`.
    pub(super) fn words(self) -> String {
        if self.0 == "embedding_std_relative" {
            return "embedding std (0 constant, 1 even)".to_owned();
        }
        self.0
            .replace("knn", "kNN")
            .replace("top1", "top-1")
            .replace("top5", "top-5")
            .replace('_', " ")
    }

    /// Returns the name in words and the unit: `linear top-1 (%)`.
    pub(super) fn words_and_unit(self) -> String {
        format!("{}{}", self.words(), self.unit_heading())
    }

    /// Returns the unit as a heading has it: ` (%)`.
    pub(super) fn unit_heading(self) -> &'static str {
        if self.is_accuracy() { " (%)" } else { "" }
    }

    /// Returns the unit of a difference of two values: `points`, for percentage points.
    pub(super) fn difference_unit(self) -> &'static str {
        if self.is_accuracy() { " points" } else { "" }
    }

    /// Returns the unit of a difference as a heading has it: ` (points)`.
    pub(super) fn difference_heading(self) -> &'static str {
        if self.is_accuracy() { " (points)" } else { "" }
    }

    /// Returns a value in the unit that people read.
    pub(super) fn scaled(self, value: f64) -> f64 {
        if self.is_accuracy() { value * 100.0 } else { value }
    }

    /// Returns the ends of a spread in the unit that people read.
    pub(super) fn scaled_range(self, of: &Estimate, kind: SpreadKind) -> Option<(f64, f64)> {
        of.range(kind).map(|(low, high)| (self.scaled(low), self.scaled(high)))
    }

    /// Returns a value, or a spread, as text without its unit.
    pub(super) fn shown(self, value: f64) -> String {
        let text = if self.is_accuracy() {
            format!("{:.1}", self.scaled(value))
        } else {
            format!("{value:.4}")
        };
        with_true_minus(&text)
    }

    /// Returns a value as text with its unit.
    pub(super) fn shown_with_unit(self, value: f64) -> String {
        let unit = if self.is_accuracy() { " %" } else { "" };
        format!("{}{unit}", self.shown(value))
    }

    /// Returns a difference as text with its sign and without its unit.
    pub(super) fn shown_change(self, change: f64) -> String {
        let text = self.shown(change);
        if text.starts_with('−') || text.chars().all(|c| matches!(c, '0' | '.')) {
            text
        } else {
            format!("+{text}")
        }
    }

    /// Returns whether it is a share of right answers.
    pub(super) fn is_accuracy(self) -> bool {
        ["top1", "top5", "accuracy"].iter().any(|part| self.0.contains(part))
    }
}

/// Sets a minus sign for the hyphen, and none before a zero.
fn with_true_minus(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| matches!(c, '0' | '.')) => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_are_percent_and_the_rest_is_plain() {
        let metric = Metric("linear_top1");
        assert_eq!(metric.words_and_unit(), "linear top-1 (%)");
        assert_eq!(metric.shown(0.7254), "72.5");
        assert_eq!(metric.shown_change(-0.0912), "−9.1");
        assert_eq!(metric.shown_change(0.0004), "0.0");
        assert_eq!(metric.shown_change(-0.0004), "0.0");
        assert_eq!(metric.shown_change(0.012), "+1.2");
        assert_eq!(Metric("loss").shown(0.25), "0.2500");
    }
}
