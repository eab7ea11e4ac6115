//! Holds the sources to ARCHITECTURE.md: who may use whom, a header in every file, no clock where
//! decisions are made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module to the modules that it may use.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every `.rs` file below `src`, with its path below it. Tests are left out, whole files and
/// ends of files: they may look upward and take one base instant from the clock.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        (path.strip_prefix(&src).unwrap().to_owned(), shipped.to_owned())
    };
    let is_test = |path: &PathBuf| path.file_name().is_some_and(|name| name == "tests.rs");
    paths.into_iter().filter(|path| !is_test(path)).map(read).collect()
}

/// Returns the module that a file belongs to: `spec/run.rs` is part of `spec`.
fn module_of(file: &Path) -> String {
    let first = Path::new(file.components().next().unwrap().as_os_str());
    first.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Returns the modules that a text names after `crate::` or `byol_sweep::`, comments aside.
fn mentions(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for marker in ["crate::", "byol_sweep::"] {
            for (at, _) in line.match_indices(marker) {
                found.extend(names(&line[at + marker.len()..]));
            }
        }
    }
    found
}

/// Returns the names that a path goes on with: `spec::run` or `{ids::TrainKey, spec}`.
fn names(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let list = match rest.strip_prefix('{') {
        Some(list) => top_level(list),
        None => vec![rest],
    };
    list.into_iter().map(word).filter(|name| name.starts_with(|c: char| c.is_lowercase())).collect()
}

/// Splits the inside of braces at the commas that no inner braces hold.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&list[start..at]);
                return parts;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
}

/// Returns what ARCHITECTURE.md allows: rows of `| L3 | `store` | `ids` `plan` |`.
fn allowed() -> Arrows {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut arrows = Arrows::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [layer, modules, uses, ..] = cells.as_slice() else { continue };
        if !(layer.len() == 2 && layer.starts_with('L')) {
            continue;
        }
        for module in quoted(modules) {
            arrows.entry(module).or_default().extend(quoted(uses));
        }
    }
    arrows
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let allowed = allowed();
    assert!(allowed.len() >= 10, "the table in ARCHITECTURE.md was not found: {allowed:?}");
    let modules: BTreeSet<String> = allowed.keys().cloned().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = module_of(&file);
        if module == "lib" {
            continue;
        }
        let Some(may_use) = allowed.get(&module) else {
            wrong.push(format!("{}: the table has no module `{module}`", file.display()));
            continue;
        };
        for used in mentions(&text).intersection(&modules).filter(|used| **used != module) {
            if !may_use.contains(used) {
                wrong.push(format!("{}: `{module}` may not use `{used}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_cycle_and_no_unknown_module() {
    let mut left = allowed();
    for (module, uses) in &left {
        for used in uses {
            assert!(left.contains_key(used), "`{module}` uses `{used}`, which is not in the table");
        }
    }
    // Takes away what uses nothing that is left, until nothing is.
    while !left.is_empty() {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, uses)| uses.iter().all(|used| !left.contains_key(used)))
            .map(|(module, _)| module.clone())
            .collect();
        assert!(!free.is_empty(), "these use each other in a circle: {:?}", left.keys());
        left.retain(|module, _| !free.contains(module));
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    let silent: Vec<_> = silent.map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "no `//!` header: {silent:?}");
}

#[test]
fn no_decision_reads_a_clock() {
    const TIMELESS: [&str; 6] = ["ids", "outcome", "spec", "plan", "protocol", "schedule"];
    let reads =
        |text: &str| ["Instant::now", "SystemTime::now"].iter().any(|now| text.contains(now));
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(file, text)| TIMELESS.contains(&module_of(file).as_str()) && reads(text))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "a clock is read in {wrong:?}: hand the time in");
}

#[test]
fn mentions_are_found_in_every_form() {
    let text = "use crate::spec::run::{RunSpec, Loss};\n\
                use crate::{ids::{TrainKey, EvalKey}, plan};\n\
                let x = byol_sweep::cli::main();\n\
                // use crate::store;\n\
                use super::Thing; crate::JSON_SCHEMA;";
    let found: Vec<String> = mentions(text).into_iter().collect();
    assert_eq!(found, ["cli", "ids", "plan", "spec"]);
}
