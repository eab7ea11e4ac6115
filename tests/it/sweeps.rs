//! Every sweep that ships: embedded, named uniquely, complete.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use byol_sweep::cli::shipped::{self, Shipped};

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

/// The arms of Table 17 apart from its baseline, which is there of itself.
#[test]
fn the_augmentation_studies_have_every_row_of_the_paper() {
    for name in ["augmentation_ablation", "augmentations"] {
        let sweep = parsed(shipped::find(name).unwrap());
        let arms = sweep["arm"].as_array().unwrap();
        let rows: Vec<&str> =
            arms.iter().map(|arm| text(arm.as_table().unwrap(), "published")).collect();
        assert_eq!(rows.len(), 13, "{name}");
        assert!(rows.iter().all(|row| !row.is_empty()), "{name}: {rows:?}");
    }
}
