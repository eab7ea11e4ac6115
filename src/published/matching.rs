//! Which row of a published table a cell of ours reproduces. A row is taken only when it is the
//! only one that fits.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Entry, PublishedTable};

type Row = BTreeMap<String, Entry>;

/// The axis that removes operators of the augmentation preset.
const REMOVE_AXIS: &str = "augment.remove";
/// The name of the implicit arm, and of the paper's row without a change.
const BASELINE: &str = "baseline";

/// A cell of ours, as the sweep file describes it.
#[derive(Clone, Copy, Debug)]
pub struct CellQuery<'a> {
    /// `byol`, `simclr`; tables with one column a method need it.
    pub method: Option<&'a str>,
    /// Name of the arm; `baseline` for the implicit one.
    pub arm: Option<&'a str>,
    /// The row that the arm says it reproduces.
    pub published: Option<&'a str>,
    /// Key path to value of what varies.
    pub axes: &'a BTreeMap<String, Value>,
}

/// What the paper prints for a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedValue {
    /// Top-1 accuracy, percent.
    pub top1: f64,
    /// Half the distance between the best and the worst of three seeds, percent, where printed.
    pub top1_pm: Option<f64>,
    /// Top-5 accuracy, percent, where printed.
    pub top5: Option<f64>,
    /// What the row is called in the paper.
    pub row_label: String,
}

/// Returns what `table` prints for `cell`; `None` when no row fits, or more than one.
pub fn value_for(table: &PublishedTable, cell: &CellQuery<'_>) -> Option<PublishedValue> {
    let row = row_for(table, cell)?;
    let prefix = value_prefix(table, cell.method)?;
    let number = |suffix: &str| match row.get(&format!("{prefix}{suffix}")) {
        Some(Entry::Number(value)) => Some(*value),
        Some(Entry::Flag(_) | Entry::Text(_)) | None => None,
    };
    Some(PublishedValue {
        top1: number("top1")?,
        top1_pm: number("top1_pm"),
        top5: number("top5"),
        row_label: row_label(table, row),
    })
}

/// Columns are `top1` in tables of one method and `byol_top1`, `simclr_top1` in tables of two.
fn value_prefix(table: &PublishedTable, method: Option<&str>) -> Option<String> {
    if table.columns.iter().any(|column| column == "top1") {
        return Some(String::new());
    }
    let prefix = format!("{}_", method?);
    table.columns.contains(&format!("{prefix}top1")).then_some(prefix)
}

fn row_for<'t>(table: &'t PublishedTable, cell: &CellQuery<'_>) -> Option<&'t Row> {
    let name = wanted_name(table, cell)?;
    let columns = wanted_columns(table, cell);
    if name.is_none() && columns.is_empty() {
        return None;
    }
    let mut rows = table.rows.iter().filter(|row| {
        let named = name.is_none_or(|name| {
            table.name_column().and_then(|column| row.get(column))
                == Some(&Entry::Text(name.to_owned()))
        });
        named && columns.iter().all(|(column, value)| same(row.get(*column), value))
    });
    match (rows.next(), rows.next()) {
        (Some(row), None) => Some(row),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

/// The name that the row must have: `None` when the cell names no row of this table, `Some(None)`
/// when any name will do.
fn wanted_name<'t>(table: &'t PublishedTable, cell: &CellQuery<'_>) -> Option<Option<&'t str>> {
    if let Some(published) = cell.published {
        return full_name(table, published).map(Some);
    }
    let removed = cell.axes.get(REMOVE_AXIS).map(removal_name);
    match (cell.arm, removed) {
        // An arm that names no row changes something that the table does not know.
        (Some(arm), _) if arm != BASELINE => None,
        (_, Some(removal)) => full_name(table, removal?).map(Some),
        (Some(_), None) => Some(full_name(table, "Baseline")),
        (None, None) => Some(None),
    }
}

/// The name of a row: in full, or what stands before its parenthesis if only one row begins so.
pub(super) fn full_name<'t>(table: &'t PublishedTable, name: &str) -> Option<&'t str> {
    let names = table.row_names();
    if let Some(exact) = names.iter().find(|known| **known == name) {
        return Some(*exact);
    }
    let before = |known: &str| known.split_once(" (").is_some_and(|(before, _)| before == name);
    let mut fitting = names.into_iter().filter(|known| before(known));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

/// The paper's name of a removal; `None` for sets that it does not have.
fn removal_name(removed: &Value) -> Option<&'static str> {
    let mut operators: Vec<&str> = removed.as_array()?.iter().filter_map(Value::as_str).collect();
    operators.sort_unstable();
    match operators.as_slice() {
        [] => Some("Baseline"),
        ["flip"] => Some("Remove flip"),
        ["blur"] => Some("Remove blur"),
        ["color_jitter"] => Some("Remove color jittering"),
        ["grayscale"] => Some("Remove grayscale"),
        ["color_jitter", "grayscale"] => Some("Remove color"),
        _ => None,
    }
}

/// The table's columns that an axis of the cell is about: those named as its last segment.
fn wanted_columns<'a>(table: &PublishedTable, cell: &CellQuery<'a>) -> Vec<(&'a str, &'a Value)> {
    let column = |path: &'a String| path.rsplit('.').next().unwrap_or(path);
    cell.axes
        .iter()
        .map(|(path, value)| (column(path), value))
        .filter(|(column, _)| table.columns.iter().any(|known| known == column))
        .collect()
}

fn same(entry: Option<&Entry>, value: &Value) -> bool {
    match entry {
        Some(Entry::Number(printed)) => value
            .as_f64()
            .is_some_and(|ours| (ours - printed).abs() <= 1e-9 * printed.abs().max(1e-9)),
        Some(Entry::Flag(printed)) => value.as_bool() == Some(*printed),
        Some(Entry::Text(printed)) => {
            value.as_str().is_some_and(|ours| ours.eq_ignore_ascii_case(printed))
        }
        None => false,
    }
}

fn row_label(table: &PublishedTable, row: &Row) -> String {
    let settings = table.columns.iter().filter(|column| !column.contains("top"));
    let text = |entry: &Entry| match entry {
        Entry::Flag(flag) => flag.to_string(),
        Entry::Number(number) => number.to_string(),
        Entry::Text(text) => text.clone(),
    };
    if let Some(column) = table.name_column()
        && table.row_names().len() == table.rows.len()
    {
        return row.get(column).map(text).unwrap_or_default();
    }
    let known = settings.filter(|column| *column != "accumulation_N");
    let parts = known.filter_map(|column| Some(format!("{column} = {}", text(row.get(column)?))));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table;
    use super::*;

    /// Asks `id` for a cell with these axes and returns top-1 and the row.
    fn look_up(
        id: &str,
        method: Option<&str>,
        arm: Option<&str>,
        published: Option<&str>,
        axes: Value,
    ) -> Option<(f64, String)> {
        let axes: BTreeMap<String, Value> = serde_json::from_value(axes).unwrap();
        let cell = CellQuery { method, arm, published, axes: &axes };
        value_for(table(id).unwrap(), &cell).map(|value| (value.top1, value.row_label))
    }

    fn found(top1: f64, row: &str) -> Option<(f64, String)> {
        Some((top1, row.to_owned()))
    }

    #[test]
    fn batch_sizes_are_found_by_number_and_method() {
        let ask = |method, axes| look_up("ablation_batch_size", method, None, None, axes);
        let axes = json!({"method": "byol", "batch_size": 64});
        assert_eq!(ask(Some("byol"), axes.clone()), found(59.7, "batch_size = 64"));
        assert_eq!(ask(Some("simclr"), axes), found(59.2, "batch_size = 64"));
        assert_eq!(ask(Some("byol"), json!({"batch_size": 4096.0})).unwrap().0, 72.5);
        assert_eq!(ask(Some("byol"), json!({"batch_size": 32})), None);
        assert_eq!(ask(None, json!({"batch_size": 64})), None);
        assert_eq!(ask(Some("byol"), json!({})), None);
    }

    #[test]
    fn a_spread_is_carried_only_where_printed() {
        let axes: BTreeMap<String, Value> = [("batch_size".to_owned(), json!(256))].into();
        let ask = |method| {
            let cell = CellQuery { method, arm: None, published: None, axes: &axes };
            value_for(table("ablation_batch_size").unwrap(), &cell).unwrap()
        };
        assert_eq!((ask(Some("byol")).top1_pm, ask(Some("byol")).top5), (None, Some(90.7)));
        assert_eq!(ask(Some("simclr")).top1_pm, Some(2.1));
    }

    #[test]
    fn arms_are_found_by_the_row_that_they_name() {
        let ask = |arm, published| {
            look_up("ablation_augmentations", Some("byol"), Some(arm), published, json!({}))
        };
        let color = "Remove color (jittering and grayscale)";
        assert_eq!(ask("c", Some("Remove color")), found(63.4, color));
        assert_eq!(ask("c", Some(color)), found(63.4, color));
        assert_eq!(ask("c", Some("Remove color jittering")), found(71.8, "Remove color jittering"));
        assert_eq!(ask("baseline", None), found(72.5, "Baseline"));
        assert_eq!(ask("my own", None), None);
        assert_eq!(ask("c", Some("Remove colour")), None);
    }

    #[test]
    fn removals_are_found_as_sets() {
        let ask = |removed| {
            let axes = json!({ "augment.remove": removed });
            look_up("ablation_augmentations", Some("simclr"), None, None, axes)
        };
        assert_eq!(ask(json!([])), found(67.9, "Baseline"));
        assert_eq!(ask(json!(["grayscale", "color_jitter"])).unwrap().0, 45.7);
        assert_eq!(ask(json!(["grayscale"])), found(61.9, "Remove grayscale"));
        assert_eq!(ask(json!(["blur"])), found(65.2, "Remove blur"));
        assert_eq!(ask(json!(["flip"])), found(67.3, "Remove flip"));
        assert_eq!(ask(json!(["color_jitter"])), found(63.7, "Remove color jittering"));
        assert_eq!(ask(json!(["flip", "blur"])), None);
    }

    #[test]
    fn targets_are_found_by_decay_or_by_name() {
        let ask = |published: Option<&str>, axes| {
            let arm = published.map(|_| "arm");
            look_up("ablation_target_modes", Some("byol"), arm, published, axes)
        };
        let average = "target = moving average of online, tau_base = 0.99";
        assert_eq!(ask(None, json!({"tau_base": 0.99})), found(72.5, average));
        assert_eq!(ask(None, json!({"tau_base": 1})).unwrap().0, 18.8);
        assert_eq!(ask(None, json!({"tau_base": 0})).unwrap().0, 0.3);
        assert_eq!(ask(None, json!({"tau_base": 0.95})), None);
        assert_eq!(ask(Some("stop gradient of online"), json!({})).unwrap().0, 0.3);
        assert_eq!(ask(Some("moving average of online"), json!({})), None);
    }

    #[test]
    fn other_tables_match_columns_by_the_last_segment_of_an_axis() {
        let ask = |id, axes| look_up(id, Some("byol"), None, None, axes).map(|found| found.0);
        assert_eq!(ask("ablation_learning_rate", json!({"optimizer.base_lr": 0.4})), Some(72.3));
        assert_eq!(
            ask("ablation_weight_decay", json!({"optimizer.weight_decay": 5e-7})),
            Some(72.6)
        );
        assert_eq!(ask("ablation_beta_temperature", json!({"beta": 0.5})), None);
        assert_eq!(
            ask("ablation_beta_temperature", json!({"beta": 0.5, "alpha": 0.3})),
            Some(72.7)
        );
    }
}
