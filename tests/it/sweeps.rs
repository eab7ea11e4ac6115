//! Every sweep that ships: embedded, named uniquely, complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use byol_sweep::cli::shipped::{self, Shipped};
use byol_sweep::plan::{Limit, Plan, Request, expand};
use byol_sweep::spec;

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

fn parsed(shipped: &Shipped) -> toml::Table {
    shipped.text.parse().unwrap_or_else(|error| panic!("{}: {error}", shipped.path))
}

fn text<'a>(table: &'a toml::Table, key: &str) -> &'a str {
    table.get(key).and_then(toml::Value::as_str).unwrap_or_default()
}

#[test]
fn every_file_of_the_folder_is_embedded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sweeps");
    let mut on_disk: Vec<String> = files_below(&folder)
        .iter()
        .map(|path| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut embedded: Vec<String> = shipped::ALL.iter().map(|s| s.path.to_owned()).collect();
    on_disk.sort();
    embedded.sort();
    assert_eq!(on_disk, embedded);
}

#[test]
fn names_are_unique_and_sweeps_describe_themselves() {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for shipped in shipped::ALL {
        let sweep = parsed(shipped);
        let name = text(&sweep, "name").to_owned();
        assert!(!text(&sweep, "description").is_empty(), "{}", shipped.path);
        if let Some(other) = seen.insert(name.clone(), shipped.path) {
            panic!("{other} and {} are both named `{name}`", shipped.path);
        }
    }
}

fn planned(name: &str) -> Plan {
    let shipped = shipped::find(name).unwrap();
    let sweep =
        spec::parse(shipped.path, shipped.text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    expand(&sweep, &request).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_sweep_plans_with_the_trials_that_it_promises() {
    let trials = [
        ("quickstart", 2 * 2 * 2),
        ("batch_ablation", 2 * 5 * 3),
        ("augmentation_ablation", 2 * 14 * 3),
        ("tau_ablation", 5 * 3),
        ("shapes/batch", 2 * 4 * 3),
        ("shapes/augmentation", 2 * 14 * 3),
        ("shapes/tau", 5 * 3),
        ("cifar10/convnet_batch", 2 * 3 * 3),
        ("paper/batch_size", 2 * 7 * 3),
        ("paper/augmentations", 2 * 14 * 3),
        ("paper/target_modes", 5 * 3),
        ("shapes/beta_temperature", 1 + 3 * 6),
        ("shapes/projector_predictor_lr", 5 * 5),
        ("shapes/learning_rate", (7 + 3) * 3),
        ("cifar10/learning_rate", (7 + 1) * 3),
    ];
    // The same cells with the same seeds in every folder, those above aside.
    let cells = [
        ("byol_simclr_variants", 2 * 2 * 2),
        ("byol_simclr_variants_sg", 2 * 3 * 2),
        ("beta_temperature", 1 + 3 * 6),
        ("head_depth", 3 * 3),
        ("projection_dim", 6),
        ("learning_rate", 7),
        ("weight_decay", 5),
        ("loss_normalization", 4),
        ("predictor_lr", 5 + 1),
        ("projector_predictor_lr", 5 * 5),
        ("optimal_predictor", 2 + 1),
        ("seed_experiment", 1),
    ];
    let mut trials: BTreeMap<String, usize> =
        trials.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    for folder in ["shapes", "cifar10", "paper"] {
        for (stem, cells) in cells {
            trials.entry(format!("{folder}/{stem}")).or_insert(cells * 3);
        }
    }
    assert_eq!(trials.len(), shipped::ALL.len());
    for (name, count) in trials {
        assert_eq!(planned(&name).trials.len(), count, "{name}");
    }
}

#[test]
fn no_sweep_that_ships_stops_trials_early() {
    for shipped in shipped::ALL {
        assert_eq!(planned(shipped.name()).meta.early_stop, None, "{}", shipped.path);
    }
}

#[test]
fn a_smoke_run_of_any_sweep_tries_each_of_its_cells_once() {
    for shipped in shipped::ALL {
        let full = planned(shipped.name());
        let cells: BTreeSet<String> =
            full.trials.iter().map(|trial| trial.group_key.to_string()).collect();
        let sweep = spec::parse(shipped.path, shipped.text).unwrap();
        let (sweep, overrides) = sweep.into_smoke_run(Vec::new()).unwrap();
        let request = Request { overrides: &overrides, digests: &|_| None, limit: Limit::Million };
        let smoke = expand(&sweep, &request).unwrap_or_else(|e| panic!("{}: {e}", shipped.path));
        assert_eq!(smoke.trials.len(), cells.len(), "{}", shipped.path);
        assert_eq!(smoke.meta.name, format!("{}-smoke", full.meta.name));
        assert_eq!(smoke.meta.reproduces, None);
        for (smoke, full) in smoke.trials.iter().zip(&full.trials) {
            let mut expected = full.run.clone();
            (expected.epochs, expected.warmup_epochs) = (2, 0.0);
            assert_eq!(smoke.run, expected, "{}: all else is as in the file", shipped.path);
        }
    }
}

#[test]
fn templates_plan() {
    for template in ["grid", "arms"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("src/cli/templates/{template}.toml"));
        let sweep = spec::parse(template, &fs::read_to_string(path).unwrap()).unwrap();
        let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
        assert!(!expand(&sweep, &request).unwrap().trials.is_empty());
    }
}

#[test]
fn the_reference_has_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sweep-file.md");
    let reference = fs::read_to_string(path).unwrap();
    let of_one_view = |path: &str| {
        let view =
            ["augment.t.", "augment.t_prime."].into_iter().any(|view| path.starts_with(view));
        view && !path.ends_with(".remove")
    };
    for key in spec::keys().filter(|key| !of_one_view(key.path)) {
        assert!(reference.contains(&format!("| `{}` |", key.path)), "{} is missing", key.path);
    }
    for (table, keys) in spec::OTHER_KEYS {
        for key in *keys {
            let path = format!("{table}.{key}");
            assert!(reference.contains(&format!("| `{path}` |")), "{path} is missing");
        }
    }
}
