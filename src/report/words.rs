//! Settings as people read them: `batch size 32` for `batch_size`, `without blur` for
//! `augment.remove`. Knows nothing of results.

use serde_json::Value;

use crate::plan::Label;
use crate::spec::Key;

/// Returns what a column of this setting is called.
pub(super) fn heading(path: &str) -> String {
    match path {
        "augment.remove" | "augment.only" => "augmentations".to_owned(),
        "augment.t.remove" => "augmentations in T".to_owned(),
        "augment.t_prime.remove" => "augmentations in T'".to_owned(),
        _ => path.strip_suffix(".name").unwrap_or(path).replace(['.', '_'], " "),
    }
}

/// Returns a value as it stands in a column of its setting.
pub(super) fn entry(path: &str, value: &Value) -> String {
    match (path, value) {
        ("method", Value::String(name)) => method(name),
        ("augment.only", Value::Array(kept)) if !kept.is_empty() => format!("{} only", list(kept)),
        (_, Value::Array(removed)) if path.ends_with(".remove") => match removed.as_slice() {
            [] => "all augmentations".to_owned(),
            removed => format!("without {}", list(removed)),
        },
        _ => plain(value),
    }
}

/// Returns a setting with its value, to stand alone.
pub(super) fn setting(path: &str, value: &Value) -> String {
    let entry = entry(path, value);
    match path {
        "method" | "augment.remove" | "augment.only" => entry,
        "augment.t.remove" => format!("{entry} in T"),
        "augment.t_prime.remove" => format!("{entry} in T'"),
        _ => format!("{} {entry}", heading(path)),
    }
}

/// Returns the parts of a label in words, the method aside: its arm, then what varies, in the order
/// of the table of settings.
pub(super) fn parts(label: &Label) -> Vec<String> {
    let mut axes: Vec<(&String, &Value)> =
        label.axes.iter().filter(|(path, _)| *path != "method").collect();
    // Unknown settings come from rows that another version wrote.
    axes.sort_by_key(|(path, _)| (Key::named(path).is_none(), Key::named(path)));
    let axes = axes.into_iter().map(|(path, value)| setting(path, value));
    label.arm.iter().cloned().chain(axes).collect()
}

/// Returns a method as the paper writes it.
pub(super) fn method(name: &str) -> String {
    match name {
        "byol" => "BYOL".to_owned(),
        "simclr" => "SimCLR".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns a value by itself.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_words(number),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => list(items),
        Value::Object(_) => value.to_string(),
    }
}

/// Names in a list are those of operators.
fn list(items: &[Value]) -> String {
    items.iter().map(|item| plain(item).replace('_', " ")).collect::<Vec<_>>().join(" + ")
}

fn number_words(number: &serde_json::Number) -> String {
    match number.as_f64() {
        // 1.0 and 1 are the same setting.
        Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        // 0.00001 and 1e-6 side by side are hard to compare.
        Some(value) if value.abs() < 1e-3 => format!("{value:e}"),
        Some(_) | None => number.to_string(),
    }
}

/// Capitalises a sentence or a title.
pub(super) fn capitalised(words: &str) -> String {
    // "kNN" keeps its small letter.
    if words.starts_with("kNN") {
        return words.to_owned();
    }
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples;
    use super::*;

    #[test]
    fn settings_are_words() {
        let words = |axes| parts(&samples::label(axes)).join(", ");
        let axes = json!({"augment.remove": ["color_jitter", "grayscale"], "batch_size": 64.0});
        assert_eq!(words(axes), "batch size 64, without color jitter + grayscale");
        assert_eq!(words(json!({"augment.remove": []})), "all augmentations");
        assert_eq!(words(json!({"augment.only": ["crop", "flip"]})), "crop + flip only");
        assert_eq!(words(json!({"augment.t_prime.remove": ["blur"]})), "without blur in T'");
        assert_eq!(words(json!({"optimizer.base_lr": 0.2})), "optimizer base lr 0.2");
        assert_eq!(
            words(json!({"optimizer.weight_decay": 0.00001})),
            "optimizer weight decay 1e-5"
        );
        assert_eq!(words(json!({"encoder.name": "resnet18"})), "encoder resnet18");
        assert_eq!(words(json!({"another.versions_key": null})), "another versions key none");
    }

    #[test]
    fn a_column_says_once_what_its_entries_are() {
        assert_eq!(
            (heading("tau_base"), entry("tau_base", &json!(0.99))),
            ("tau base".into(), "0.99".into())
        );
        assert_eq!(heading("augment.remove"), "augmentations");
        assert_eq!(entry("augment.remove", &json!(["blur"])), "without blur");
        assert_eq!(entry("method", &json!("byol")), "BYOL");
    }
}
