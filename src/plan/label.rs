//! What people call a trial. Knows nothing of how it came to be.

use serde_json::Value;

use super::{Label, PlannedTrial};
use crate::spec::Key;

impl Label {
    /// Returns the label in words: `method=byol batch_size=64`, the arm's name, or both:
    /// `remove color (method=byol)`. A cell without axes and arms is `base`.
    pub fn text(&self) -> String {
        let mut axes: Vec<_> = self.axes.iter().collect();
        // In the order of the table of settings: the method first. Unknown keys come from a store
        // that another version wrote.
        axes.sort_by_key(|(path, _)| Key::named(path).map_or(usize::MAX, Key::index));
        let axes: Vec<_> =
            axes.into_iter().map(|(path, value)| format!("{path}={}", value_text(value))).collect();
        match (&self.arm, axes.is_empty()) {
            (None, true) => "base".into(),
            (None, false) => axes.join(" "),
            (Some(arm), true) => arm.clone(),
            (Some(arm), false) => format!("{arm} ({})", axes.join(" ")),
        }
    }
}

impl PlannedTrial {
    /// Returns the text of the first label, without the seed.
    pub fn label_text(&self) -> String {
        self.labels.first().map_or_else(|| "base".into(), Label::text)
    }
}

/// Returns a value of a label as people read it: `64`, `0.99`, `byol`, `blur+flip`, `none`.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => float_text(float),
            Some(_) | None => number.to_string(),
        },
        Value::Array(items) if items.is_empty() => "none".into(),
        Value::Array(items) => items.iter().map(value_text).collect::<Vec<_>>().join("+"),
        Value::Null | Value::Bool(_) | Value::Object(_) => value.to_string(),
    }
}

fn float_text(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:e}");
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn label(arm: Option<&str>, axes: &[(&str, Value)]) -> Label {
        Label {
            arm: arm.map(ToOwned::to_owned),
            published: None,
            axes: axes.iter().map(|(path, value)| ((*path).to_owned(), value.clone())).collect(),
        }
    }

    #[test]
    fn a_label_reads_in_the_order_of_the_settings() {
        let axes = [("batch_size", json!(64)), ("method", json!("byol")), ("tau_base", json!(1.0))];
        assert_eq!(label(None, &axes).text(), "method=byol batch_size=64 tau_base=1");
        assert_eq!(label(None, &[]).text(), "base");
        assert_eq!(label(Some("crop only"), &[]).text(), "crop only");
        assert_eq!(label(Some("crop only"), &axes[1..2]).text(), "crop only (method=byol)");
    }

    #[test]
    fn values_read_as_people_write_them() {
        assert_eq!(value_text(&json!([])), "none");
        assert_eq!(value_text(&json!(["blur", "flip"])), "blur+flip");
        assert_eq!(value_text(&json!(1e-6)), "1e-6");
        assert_eq!(value_text(&json!(0.99)), "0.99");
    }
}
