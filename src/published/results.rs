//! All that a table prints, column by column of results. Knows nothing of cells.

use super::PublishedTable;
use super::matching::{PublishedValue, Row, are_one_setting, caption_baseline, printed};

/// The results that can be compared with each other: those of one method.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedResults {
    /// `byol`, `simclr` in tables with a column each.
    pub method: Option<String>,
    /// A value for each setting, in the order of the paper; a setting that is printed twice has
    /// its first value.
    pub values: Vec<PublishedValue>,
}

/// Returns the results of a table.
pub fn results(table: &PublishedTable) -> Vec<PublishedResults> {
    let of = |method: Option<&str>| {
        let rows = settings(table).into_iter().filter_map(|rows| printed(table, method, &rows));
        PublishedResults {
            method: method.map(str::to_owned),
            values: caption_baseline(table).into_iter().chain(rows).collect(),
        }
    };
    if !table.is_of_both_methods() {
        return vec![of(None)];
    }
    let methods = table.columns.iter().filter_map(|column| column.strip_suffix("_top1"));
    methods.map(|method| of(Some(method))).collect()
}

/// The rows of each setting.
fn settings(table: &PublishedTable) -> Vec<Vec<&Row>> {
    let mut settings: Vec<Vec<&Row>> = Vec::new();
    for row in &table.rows {
        match settings.iter_mut().find(|rows| are_one_setting(&[rows[0], row])) {
            Some(rows) => rows.push(row),
            None => settings.push(vec![row]),
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::super::{TABLES, table};
    use super::*;

    /// What `BYOL` and `SimCLR` reach at the paper's common setting (section 5, appendix F).
    #[test]
    fn every_column_has_one_baseline_and_it_is_the_papers() {
        for table in TABLES.iter() {
            for results in results(table) {
                let of = || results.values.iter().filter(|value| value.is_baseline);
                assert_eq!(of().count(), 1, "{} {:?}", table.id, results.method);
                let expected = match (table.id.as_str(), results.method.as_deref()) {
                    ("ablation_projector_predictor_lr", _) => 3.2,
                    (_, Some("simclr")) => 67.9,
                    (_, _) => 72.5,
                };
                assert_eq!(of().next().unwrap().top1, expected, "{}", table.id);
            }
        }
        let unknown = |row: &Row, baseline: &Row| baseline.keys().any(|key| !row.contains_key(key));
        for table in TABLES.iter().filter(|table| table.baseline.is_some()) {
            let baseline = table.baseline.as_ref().unwrap();
            assert!(!table.rows.iter().any(|row| unknown(row, baseline)), "{}", table.id);
        }
    }

    #[test]
    fn settings_are_counted_once_and_names_tell_them_apart() {
        let count = |id: &str| {
            let all = results(table(id).unwrap());
            all.iter().map(|results| results.values.len()).collect::<Vec<_>>()
        };
        assert_eq!(count("ablation_batch_size"), [7, 7]);
        assert_eq!(count("ablation_augmentations"), [14, 14]);
        assert_eq!(count("ablation_predictor_lr"), [6]);
        assert_eq!(count("ablation_byol_simclr_variants_sg"), [12]);
        for table in TABLES.iter() {
            for results in results(table) {
                let labels: std::collections::BTreeSet<&str> =
                    results.values.iter().map(|value| value.row_label.as_str()).collect();
                assert_eq!(labels.len(), results.values.len(), "{}", table.id);
            }
        }
    }
}
