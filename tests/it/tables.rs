//! The sweeps that ship, held to the tables that they reproduce: every row of the paper has its
//! cell, and no row has two.

use std::collections::{BTreeMap, BTreeSet};

use byol_sweep::cli::shipped::{self, Shipped};
use byol_sweep::plan::{Label, Limit, Plan, Request, expand};
use byol_sweep::published::{self, CellQuery, Entry, PublishedTable};
use byol_sweep::spec;

/// Sweeps at small sizes that have fewer cells than their table has rows, with the rows that they
/// have: batches larger than their update cannot be, and some removals would take too long.
const PARTIAL: [(&str, usize); 3] =
    [("batch_ablation", 2 * 4), ("shapes/batch", 2), ("cifar10/convnet_batch", 2 * 2)];

fn planned(shipped: &Shipped) -> Plan {
    let sweep = spec::parse(shipped.path, shipped.text).unwrap();
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    expand(&sweep, &request).unwrap()
}

/// What identifies a printed result: the row, and the method in tables with one column each.
type Claim = (String, Option<String>);

/// Returns the rows that the sweep's cells are compared with, each with the cells that are.
fn claims(plan: &Plan, table: &PublishedTable) -> BTreeMap<Claim, BTreeSet<String>> {
    let has_methods = !table.columns.iter().any(|column| column == "top1");
    let mut found: BTreeMap<Claim, BTreeSet<String>> = BTreeMap::new();
    for trial in &plan.trials {
        for label in trial.labels.iter() {
            let method = label.axes.get("method").and_then(|method| method.as_str());
            let cell = CellQuery {
                method,
                arm: label.arm.as_deref(),
                published: label.published.as_deref(),
                axes: &label.axes,
                run: &trial.run,
            };
            if let Some(value) = published::value_for(table, &cell) {
                let method = method.filter(|_| has_methods).map(str::to_owned);
                found.entry((value.row_label, method)).or_default().insert(label.text());
            }
        }
    }
    found
}

/// Returns how many results a table prints, those of one setting counted once.
fn printed(table: &PublishedTable) -> usize {
    let setting = |row: &BTreeMap<String, Entry>| {
        let settings = row.iter().filter(|(column, _)| !column.contains("top"));
        format!("{:?}", settings.collect::<Vec<_>>())
    };
    let settings: BTreeSet<String> = table.rows.iter().map(setting).collect();
    let results = table.columns.iter().filter(|column| column.ends_with("top1")).count();
    settings.len() * results + usize::from(table.baseline_top1.is_some())
}

#[test]
fn every_table_has_a_sweep_as_published_and_one_at_each_size() {
    for id in published::ids() {
        let reproducing: Vec<&str> = shipped::ALL
            .iter()
            .filter(|shipped| shipped.text.contains(&format!("reproduces = \"{id}\"\n")))
            .map(Shipped::name)
            .collect();
        for folder in ["paper/", "shapes/"] {
            let here = reproducing.iter().filter(|name| name.starts_with(folder)).count();
            assert_eq!(here, 1, "{id} in {folder}: {reproducing:?}");
        }
        assert!(reproducing.len() >= 3, "{id} has none on CIFAR-10: {reproducing:?}");
    }
}

#[test]
fn every_row_has_one_cell_in_each_sweep_that_reproduces_its_table() {
    for shipped in shipped::ALL {
        let plan = planned(shipped);
        let Some(id) = plan.meta.reproduces.as_deref() else { continue };
        let table = published::table(id).unwrap_or_else(|| panic!("{}: {id}", shipped.path));
        let claims = claims(&plan, table);
        for (row, cells) in &claims {
            assert_eq!(cells.len(), 1, "{}: {row:?} is claimed by {cells:?}", shipped.path);
        }
        let partial = PARTIAL.iter().find(|(name, _)| *name == shipped.name());
        let rows = partial.map_or_else(|| printed(table), |(_, rows)| *rows);
        let found: Vec<&Claim> = claims.keys().collect();
        assert_eq!(found.len(), rows, "{}: {found:#?}", shipped.path);
    }
}

/// A sweep of the paper's settings asks for nothing that the paper did not run, apart from small
/// sizes of its own.
#[test]
fn every_cell_of_a_published_sweep_has_its_row() {
    for shipped in shipped::ALL.iter().filter(|shipped| shipped.name().starts_with("paper/")) {
        let plan = planned(shipped);
        let Some(table) = plan.meta.reproduces.as_deref().and_then(published::table) else {
            continue;
        };
        let matched: BTreeSet<String> = claims(&plan, table).into_values().flatten().collect();
        let cells: BTreeSet<String> =
            plan.trials.iter().flat_map(|trial| trial.labels.iter()).map(Label::text).collect();
        assert_eq!(matched, cells, "{}", shipped.path);
        assert_eq!(plan.trials.len(), cells.len() * 3, "{}: three seeds", shipped.path);
    }
}

#[test]
fn the_papers_own_settings_stand_in_every_published_sweep() {
    for shipped in shipped::ALL.iter().filter(|shipped| shipped.name().starts_with("paper/")) {
        let plan = planned(shipped);
        for trial in &plan.trials {
            let run = &trial.run;
            let counts = (run.epochs, run.update_batch_size, run.data.image_size);
            assert_eq!(counts, (300, 4096, 224), "{}", shipped.path);
            let encoder = serde_json::to_value(&run.encoder).unwrap();
            assert_eq!(encoder["depth"], 50, "{}", shipped.path);
        }
    }
}
