//! The comparison for programs. Accuracies and changes are fractions, the paper's too.

use serde_json::{Value, json};

use super::{Claim, Column, Pair, Reproduction, Row};
use crate::report::estimate::Estimate;
use crate::report::settings::Difference;

impl Reproduction {
    /// Returns it with what sets its setting apart from the paper's.
    pub(in crate::report) fn to_json(&self, differences: &[Difference]) -> Value {
        let difference =
            |d: &Difference| json!({ "setting": d.name, "here": d.here, "paper": d.paper });
        json!({
            "table": self.table.id,
            "source": self.table.source,
            "columns": self.columns.iter().map(column).collect::<Vec<_>>(),
            "differences": differences.iter().map(difference).collect::<Vec<_>>(),
        })
    }
}

fn column(column: &Column) -> Value {
    let label = |at: usize| &column.rows[at].published.row_label;
    let reversed = |pair: &Pair| {
        json!({
            "higher_in_paper": label(pair.higher),
            "lower_in_paper": label(pair.lower),
            "paper_gap": fraction(pair.gap),
            "here": pair.ours.as_ref().map(estimate),
        })
    };
    let rows = column.rows.iter().enumerate().map(|(at, row)| {
        let mut row = self::row(row);
        row["clear_pairs"] = json!(column.clear_of(at));
        row
    });
    json!({
        "method": column.method,
        "baseline": column.baseline.map(label),
        "clear_pairs": column.clear(),
        "all_pairs": column.all(),
        "reversed": column.reversed().map(reversed).collect::<Vec<_>>(),
        "spearman": column.spearman,
        "spearman_rows": column.compared(),
        "rows": rows.collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let claim = match row.claim {
        Claim::NotRun => "not_run",
        Claim::Cell(_) => "run",
        Claim::Several => "several_cells",
    };
    json!({
        "row": row.published.row_label,
        "claim": claim,
        "paper_top1": fraction(row.published.top1),
        "paper_top1_half_range": row.published.top1_pm.map(fraction),
        "paper_change": row.published_change.map(fraction),
        "here": row.ours.as_ref().map(estimate),
        "change": row.change.as_ref().map(estimate),
    })
}

fn estimate(estimate: &Estimate) -> Value {
    json!({
        "n": estimate.n,
        "mean": estimate.mean,
        "sd": estimate.sd(),
        "t95": estimate.interval(),
        "bca95": estimate.bca95(),
    })
}

/// The paper prints percent.
fn fraction(percent: f64) -> f64 {
    percent / 100.0
}
