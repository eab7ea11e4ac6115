//! Which row of a published table a cell of ours reproduces. A row is taken only when it is the
//! only one that fits, or when the paper prints one setting twice.

use std::collections::BTreeMap;

use serde_json::Value;

use super::columns::{self, COLUMNS, Column};
use super::{Entry, PublishedTable};
use crate::spec::run::RunSpec;

pub(super) type Row = BTreeMap<String, Entry>;

/// The axis that removes operators of the augmentation preset.
const REMOVE_AXIS: &str = "augment.remove";
/// The name of the implicit arm, and of the paper's row without a change.
const BASELINE: &str = "baseline";

/// A cell of ours.
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
    /// What it trains, with any seed.
    pub run: &'a RunSpec,
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
    /// The row is what the table's other rows change.
    pub is_baseline: bool,
}

impl PublishedValue {
    /// Returns how far its top-1 is from another's, percentage points. In hundredths, as printed:
    /// 63.4 - 72.5 is -9.1 and not -9.100000000000001.
    pub fn change_from(&self, other: &Self) -> f64 {
        ((self.top1 - other.top1) * 100.0).round() / 100.0
    }
}

/// Returns what `table` prints for `cell`; `None` when no row fits, or more than one.
pub fn value_for(table: &PublishedTable, cell: &CellQuery<'_>) -> Option<PublishedValue> {
    if columns::is_baseline(cell.run)
        && let Some(baseline) = caption_baseline(table)
    {
        return Some(baseline);
    }
    printed(table, cell.method, &rows_for(table, cell))
}

/// The baseline that a caption tells.
pub(super) fn caption_baseline(table: &PublishedTable) -> Option<PublishedValue> {
    Some(PublishedValue {
        top1: table.baseline_top1?,
        top1_pm: None,
        top5: None,
        row_label: "baseline with moving average".to_owned(),
        is_baseline: true,
    })
}

/// What the paper prints in the rows of one setting.
pub(super) fn printed(
    table: &PublishedTable,
    method: Option<&str>,
    rows: &[&Row],
) -> Option<PublishedValue> {
    let row = rows.first()?;
    let prefix = value_prefix(table, method)?;
    let number = |row: &Row, suffix: &str| match row.get(&format!("{prefix}{suffix}")) {
        Some(Entry::Number(value)) => Some(*value),
        Some(Entry::Flag(_) | Entry::Text(_)) | None => None,
    };
    let mut row_label = row_label(table, row);
    if rows.len() > 1 {
        let all: Vec<String> =
            rows.iter().filter_map(|row| Some(number(row, "top1")?.to_string())).collect();
        row_label += &format!(" (the paper prints it {} times: {})", rows.len(), all.join(", "));
    }
    let baseline = table.baseline.as_ref();
    Some(PublishedValue {
        top1: number(row, "top1")?,
        top1_pm: number(row, "top1_pm"),
        top5: number(row, "top5"),
        row_label,
        is_baseline: baseline.is_some_and(|baseline| {
            baseline.iter().all(|(column, entry)| row.get(column) == Some(entry))
        }),
    })
}

/// Columns are `top1` in tables of one method and `byol_top1`, `simclr_top1` in tables of two.
fn value_prefix(table: &PublishedTable, method: Option<&str>) -> Option<String> {
    if !table.is_of_both_methods() {
        return Some(String::new());
    }
    let prefix = format!("{}_", method?);
    table.columns.contains(&format!("{prefix}top1")).then_some(prefix)
}

/// Returns the rows of the cell's setting, in the order of the paper: none, one, or one that the
/// paper prints several times. What varies must fit; what the sweep fixes decides between rows that
/// differ in it.
fn rows_for<'t>(table: &'t PublishedTable, cell: &CellQuery<'_>) -> Vec<&'t Row> {
    let Some(name) = wanted_name(table, cell) else { return Vec::new() };
    let known = |column: &&Column| table.columns.iter().any(|name| name == column.name);
    let varies = |column: &&Column| cell.axes.contains_key(column.path);
    let (varied, fixed): (Vec<&Column>, Vec<&Column>) =
        COLUMNS.iter().filter(known).partition(varies);
    if (name.is_none() && varied.is_empty()) || !columns::may_be_row(table, cell.method, cell.run) {
        return Vec::new();
    }
    let named = |row: &&Row| {
        name.is_none_or(|name| {
            table.name_column().and_then(|column| row.get(column))
                == Some(&Entry::Text(name.to_owned()))
        })
    };
    let fits = |row: &Row, columns: &[&Column]| {
        columns.iter().all(|column| (column.printed)(cell.run).fits(row.get(column.name)))
    };
    let mut rows: Vec<&Row> =
        table.rows.iter().filter(named).filter(|row| fits(row, &varied)).collect();
    if !are_one_setting(&rows) {
        rows.retain(|row| fits(row, &fixed));
    }
    if are_one_setting(&rows) { rows } else { Vec::new() }
}

/// Returns whether rows differ in nothing but their results.
pub(super) fn are_one_setting(rows: &[&Row]) -> bool {
    let setting = |row: &Row| -> Vec<(String, Entry)> {
        let entries = row.iter().filter(|(column, _)| !is_result(column));
        entries.map(|(column, entry)| (column.clone(), entry.clone())).collect()
    };
    rows.windows(2).all(|pair| setting(pair[0]) == setting(pair[1]))
}

fn is_result(column: &str) -> bool {
    column.contains("top")
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

fn row_label(table: &PublishedTable, row: &Row) -> String {
    let settings = table.columns.iter().filter(|column| !is_result(column));
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
    let parts = known.filter_map(|column| {
        // A dash stands for no name.
        let entry = row.get(column).filter(|entry| **entry != Entry::Text("-".to_owned()))?;
        Some(format!("{column} = {}", text(entry)))
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::table;
    use super::*;
    use crate::plan::{Limit, Request, expand};
    use crate::spec::parse;

    type Found = Option<(f64, String)>;

    /// Plans `rules` on a small base, and returns top-1 and row of each cell of `id`'s table.
    fn look_up(id: &str, method: Option<&str>, rules: &str) -> Vec<Found> {
        let text = format!(
            "schema = 1\nname = \"t\"\n[base]\ndata.name = \"shapes\"\nbatch_size = 64\nupdate_batch_size = 4096\n{rules}"
        );
        let unknown = |_: &Path| None;
        let set: Vec<(String, String)> =
            method.iter().map(|method| ("method".to_owned(), (*method).to_owned())).collect();
        let request = Request { overrides: &set, digests: &unknown, limit: Limit::Million };
        let plan = expand(&parse("t.toml", &text).unwrap(), &request).unwrap();
        let value = |trial: &crate::plan::PlannedTrial| {
            let label = &trial.labels[0];
            let cell = CellQuery {
                method,
                arm: label.arm.as_deref(),
                published: label.published.as_deref(),
                axes: &label.axes,
                run: &trial.run,
            };
            value_for(table(id).unwrap(), &cell).map(|value| (value.top1, value.row_label))
        };
        plan.trials.iter().map(value).collect()
    }

    /// Top-1 of each cell.
    fn top1(id: &str, rules: &str) -> Vec<Option<f64>> {
        look_up(id, Some("byol"), rules).into_iter().map(|found| found.map(|f| f.0)).collect()
    }

    fn found(top1: f64, row: &str) -> Found {
        Some((top1, row.to_owned()))
    }

    #[test]
    fn batch_sizes_are_found_by_number_and_method() {
        let ask = |method, rules| look_up("ablation_batch_size", method, rules);
        let rules = "[grid]\nbatch_size = [64, 4096, 32]\n";
        assert_eq!(
            ask(Some("byol"), rules),
            [found(59.7, "batch_size = 64"), found(72.5, "batch_size = 4096"), None]
        );
        assert_eq!(ask(Some("simclr"), rules)[0], found(59.2, "batch_size = 64"));
        assert_eq!(ask(None, rules)[0], None);
        assert_eq!(ask(Some("byol"), "[grid]\nmethod = \"byol\""), [None], "no size varies");
    }

    #[test]
    fn a_spread_is_carried_only_where_printed() {
        let ask = |method: &str| {
            let text = "schema = 1\nname = \"t\"\n[base]\ndata.name = \"shapes\"\nupdate_batch_size = 256\n[grid]\nbatch_size = 256\n";
            let unknown = |_: &Path| None;
            let set = [("method".to_owned(), method.to_owned())];
            let request = Request { overrides: &set, digests: &unknown, limit: Limit::Million };
            let plan = expand(&parse("t.toml", text).unwrap(), &request).unwrap();
            let trial = &plan.trials[0];
            let axes = &trial.labels[0].axes;
            let cell = CellQuery {
                method: Some(method),
                arm: None,
                published: None,
                axes,
                run: &trial.run,
            };
            value_for(table("ablation_batch_size").unwrap(), &cell).unwrap()
        };
        assert_eq!((ask("byol").top1_pm, ask("byol").top5), (None, Some(90.7)));
        assert_eq!(ask("simclr").top1_pm, Some(2.1));
    }

    #[test]
    fn arms_are_found_by_the_row_that_they_name() {
        let arm = |published: &str| {
            let published = match published {
                "" => String::new(),
                row => format!("published = \"{row}\"\n"),
            };
            let rules = format!("[[arm]]\nname = \"a\"\n{published}augment.only = [\"crop\"]\n");
            let found = look_up("ablation_augmentations", Some("byol"), &rules);
            assert_eq!(found[0], self::found(72.5, "Baseline"));
            found[1].clone()
        };
        let color = "Remove color (jittering and grayscale)";
        assert_eq!(arm("Remove color"), found(63.4, color));
        assert_eq!(arm(color), found(63.4, color));
        assert_eq!(arm("Remove color jittering"), found(71.8, "Remove color jittering"));
        assert_eq!(arm(""), None);
        assert_eq!(arm("Remove colour"), None);
    }

    #[test]
    fn removals_are_found_as_sets() {
        let rules = r#"[grid]
            augment.remove = [
                [], ["grayscale", "color_jitter"], ["grayscale"], ["blur"], ["flip"],
                ["color_jitter"], ["flip", "blur"],
            ]"#;
        let found: Vec<Option<f64>> = look_up("ablation_augmentations", Some("simclr"), rules)
            .into_iter()
            .map(|found| found.map(|found| found.0))
            .collect();
        let printed = [67.9, 45.7, 61.9, 65.2, 67.3, 63.7].map(Some);
        assert_eq!(found, [printed.as_slice(), &[None]].concat());
    }

    #[test]
    fn targets_are_found_by_decay_or_by_name() {
        let id = "ablation_target_modes";
        let average = "target = moving average of online, tau_base = 0.99";
        assert_eq!(
            look_up(id, None, "[grid]\ntau_base = [0.99, 0.95]"),
            [found(72.5, average), None]
        );
        assert_eq!(top1(id, "[grid]\ntau_base = [1, 0]"), [Some(18.8), Some(0.3)]);
        let by_name =
            "tau_base = 0.9\n[grid]\ntarget = [\"average\", \"stop_gradient\", \"online\"]";
        assert_eq!(top1(id, by_name), [Some(68.4), Some(0.3), None]);
        let arm = |row: &str| {
            top1(id, &format!("[[arm]]\nname = \"a\"\npublished = \"{row}\"\nepochs = 5"))[1]
        };
        assert_eq!(arm("stop gradient of online"), Some(0.3));
        assert_eq!(arm("moving average of online"), Some(72.5), "the decay is fixed at 0.99");
    }

    #[test]
    fn what_the_sweep_fixes_decides_between_rows() {
        let id = "ablation_beta_temperature";
        let beta = "[grid]\nbeta = [0, 0.5]";
        assert_eq!(top1(id, &format!("temperature = 0.3\n{beta}")), [Some(72.5), Some(72.7)]);
        assert_eq!(top1(id, &format!("temperature = 0.2\n{beta}")), [Some(72.5), None]);
        let id = "ablation_projector_predictor_lr";
        let grid = "[grid]\npredictor.lr_multiplier = [2, 3]";
        assert_eq!(top1(id, &format!("target = \"stop_gradient\"\n{grid}")), [Some(60.8), None]);
        assert_eq!(top1(id, grid), [None, None], "all rows are without a moving average");
    }

    #[test]
    fn a_moving_average_is_the_baseline_that_a_caption_tells() {
        let rules = "target = \"stop_gradient\"\n[grid]\npredictor.lr_multiplier = [1, 10]\n[[include]]\ntarget = \"average\"\n";
        assert_eq!(
            look_up("ablation_predictor_lr", Some("byol"), rules),
            [
                found(5.5, "lambda_predictor_lr = 1"),
                found(66.6, "lambda_predictor_lr = 10"),
                found(72.5, "baseline with moving average"),
            ]
        );
    }

    #[test]
    fn a_setting_that_the_paper_prints_twice_takes_the_first_and_says_so() {
        let rules = "temperature = 0.1\n[grid]\ntarget = \"stop_gradient\"\nbeta = 1\n";
        assert_eq!(
            look_up("ablation_byol_simclr_variants_sg", None, rules),
            [found(
                70.2,
                "predictor = true, target_parameters = sg(theta), beta = 1 (the paper prints it 2 \
                 times: 70.2, 70.1)"
            )]
        );
    }

    #[test]
    fn the_corners_of_the_family_are_found_by_their_knobs() {
        let rules = "[grid]\npredictor.kind = [\"mlp\", \"none\"]\ntarget = [\"average\", \"online\"]\nbeta = [0, 1]\n";
        let expected = [72.5, 70.9, 0.3, 69.1, 0.2, 70.7, 0.1, 69.4].map(Some);
        assert_eq!(top1("ablation_byol_simclr_variants", rules), expected);
        // SimCLR's own loss and heads are another baseline, 67.9 (appendix F.5).
        let other = "[grid]\ntarget = [\"average\", \"online\"]\n";
        let found = look_up("ablation_byol_simclr_variants", Some("simclr"), other);
        assert_eq!(found, [None, None]);
    }

    #[test]
    fn other_columns_are_found_by_their_settings() {
        let cases: [(&str, &str, &[f64]); 5] = [
            ("ablation_learning_rate", "optimizer.base_lr = [0.4, 1]", &[72.3, 69.4]),
            ("ablation_weight_decay", "optimizer.weight_decay = [5e-7, 1e-5]", &[72.6, 69.6]),
            ("ablation_head_depth", "projector.depth = [1, 3]", &[65.0, 72.1]),
            ("ablation_projection_dim", "projector.out = [16, 512]", &[69.9, 72.6]),
            (
                "ablation_loss_normalization",
                "loss_normalization = [\"l2\", \"layer\", \"none\", \"batch\"]",
                &[72.5, 72.5, 67.4, 65.3],
            ),
        ];
        for (id, axis, expected) in cases {
            let found: Option<Vec<f64>> =
                top1(id, &format!("[grid]\n{axis}\n")).into_iter().collect();
            assert_eq!(found.as_deref(), Some(expected), "{id}");
        }
    }
}
