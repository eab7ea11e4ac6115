//! Holds every report that is kept to its rows: pages, tables and what the charts show follow from
//! `rows.jsonl` beside them.
//!
//! After a change of wording, `BYOL_SWEEP_REDRAW=1 cargo test --test it reports` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use byol_sweep::plan::{Limit, Request, expand};
use byol_sweep::report::{self, Columns, Format, Gathered};
use byol_sweep::spec;
use image::RgbImage;

/// Folders of kept reports, below the root.
const SHELVES: [&str; 2] = ["reports", "tests/fixtures/report"];
/// Share of the pixels that may differ: edges of letters, where machines round differently.
const BLURRED: f64 = 0.002;

/// A page, a chart, and a picture in a page, in bytes: most take far less, and the largest, those of
/// the augmentation study with its 84 trials and 14 ways to make views, little less.
const PAGE: usize = 1_200_000;
const CHART: usize = 350_000;
const PICTURE: usize = 3_200;

/// Every folder with a `rows.jsonl`, at any depth.
pub(crate) fn kept() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            walk(&path, found);
        }
        if folder.join("rows.jsonl").is_file() {
            found.push(folder.to_owned());
        }
    }
    let mut found = Vec::new();
    for shelf in SHELVES {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(shelf), &mut found);
    }
    found.sort();
    found
}

fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(ending));
    names.sort();
    names
}

/// A report that is kept without charts is rebuilt without them.
fn formats(folder: &Path) -> Vec<Format> {
    let has_charts = !names(folder, ".png").is_empty();
    Format::USUAL.into_iter().filter(|format| has_charts || *format != Format::Png).collect()
}

fn rebuild(kept: &Path, out: &Path) {
    let rows = fs::read_to_string(kept.join("rows.jsonl")).unwrap();
    let gathered =
        Gathered::from_jsonl(&rows).unwrap_or_else(|e| panic!("{}: {e}", kept.display()));
    let report = report::build(&gathered).unwrap_or_else(|e| panic!("{}: {e}", kept.display()));
    report::write(&report, out, &formats(kept), Columns::Two).unwrap();
}

fn picture(path: &Path) -> RgbImage {
    image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgb8()
}

/// Share of the pixels that differ by more than a shade.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    if a.dimensions() != b.dimensions() {
        return 1.0;
    }
    let differs = |(a, b): &(&image::Rgb<u8>, &image::Rgb<u8>)| {
        a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 24)
    };
    let differing = a.pixels().zip(b.pixels()).filter(differs).count();
    differing as f64 / f64::from(a.width() * a.height())
}

/// What is larger than it should be: pages are sent by mail, and read on phones.
fn oversized(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut hold = |what: String, size: usize, most: usize| {
        if size > most {
            found.push(format!("{what} takes {size} bytes of {most}"));
        }
    };
    for name in names(folder, ".png") {
        let size = fs::metadata(folder.join(&name)).unwrap().len();
        hold(name, size as usize, CHART);
    }
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    hold("index.html".to_owned(), page.len(), PAGE);
    for (place, picture) in page.split("data:image/png;base64,").skip(1).enumerate() {
        let text = picture.split('"').next().unwrap();
        hold(format!("picture {place} of index.html"), text.len(), PICTURE);
    }
    found
}

#[test]
fn kept_reports_follow_from_their_rows() {
    let folders = kept();
    assert!(!folders.is_empty(), "no report is kept below {}", SHELVES.join(" or "));
    for folder in folders {
        if std::env::var_os("BYOL_SWEEP_REDRAW").is_some() {
            rebuild(&folder, &folder);
        }
        let fresh = tempfile::tempdir().unwrap();
        rebuild(&folder, fresh.path());
        let place = folder.display();
        for name in
            ["report.md", "tables.tex", "results.csv", "results.json", "figures.json", "rows.jsonl"]
        {
            let kept = fs::read_to_string(folder.join(name)).unwrap_or_default();
            let rebuilt = fs::read_to_string(fresh.path().join(name)).unwrap();
            assert!(kept == rebuilt, "{place}/{name} is not what its rows give:\n{rebuilt}");
        }
        assert_eq!(oversized(fresh.path()), Vec::<String>::new(), "{place}");
        let charts = names(fresh.path(), ".png");
        assert_eq!(names(&folder, ".png"), charts, "{place}");
        for name in charts {
            let apart =
                difference(&picture(&folder.join(&name)), &picture(&fresh.path().join(&name)));
            assert!(apart < BLURRED, "{place}/{name}: {apart} of its pixels are others");
        }
    }
}

/// A sweep file may have gained cells since.
#[test]
fn the_command_of_a_kept_report_plans_its_trials() {
    let mut compared = 0;
    for folder in kept() {
        let rows = fs::read_to_string(folder.join("rows.jsonl")).unwrap();
        let gathered = Gathered::from_jsonl(&rows).unwrap();
        let Some(file) = &gathered.sweep.file else { continue };
        let set = gathered.sweep.set.iter().map(|setting| setting.split_once('=').unwrap());
        let overrides: Vec<(String, String)> =
            set.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let request = Request { overrides: &overrides, digests: &|_| None, limit: Limit::Million };
        let plan = expand(&spec::parse(file, &text).unwrap(), &request).unwrap();
        let planned: Vec<_> = plan.trials.iter().map(|trial| &trial.train_key).collect();
        for trial in &gathered.trials {
            let (key, place) = (&trial.train_key, folder.display());
            assert!(planned.contains(&key), "{place}: {file} does not plan {key}");
        }
        if !overrides.is_empty() {
            assert_eq!(planned.len(), gathered.trials.len(), "{}", folder.display());
        }
        compared += 1;
    }
    assert!(compared > 1, "reports are kept of sweeps that ship");
}

#[test]
fn a_changed_number_in_the_rows_changes_the_report() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report/small-batch");
    let rows = fs::read_to_string(kept.join("rows.jsonl")).unwrap();
    let altered = rows.replacen("\"linear_top1\":0.22", "\"linear_top1\":0.42", 1);
    assert_ne!(rows, altered);
    let build = |rows: &str| report::build(&Gathered::from_jsonl(rows).unwrap()).unwrap();
    let (before, after) = (build(&rows), build(&altered));
    assert_ne!(before.records.to_json(), after.records.to_json());
    assert_ne!(before.figures_json(), after.figures_json());
    assert_ne!(before.text.summary, after.text.summary);
}
