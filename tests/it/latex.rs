//! Tables for papers, set by a real LaTeX. Left out of a plain run:
//! `BYOL_SWEEP_PDFLATEX=pdflatex cargo test --test it -- --ignored latex::` runs them; with
//! `BYOL_SWEEP_PAGES=DIR` the pages stay there, to be looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use byol_sweep::report::{self, Columns, Format, Gathered};

use crate::reports::kept;

/// Sets a file of tables within an article, returning the log.
fn set(tables: &Path, folder: &Path, name: &str) -> String {
    let program = std::env::var_os("BYOL_SWEEP_PDFLATEX").expect("BYOL_SWEEP_PDFLATEX is not set");
    fs::copy(tables, folder.join(format!("{name}-tables.tex"))).unwrap();
    let article = format!(
        "\\documentclass{{article}}\n\\usepackage[margin=2.5cm]{{geometry}}\n\
                   \\usepackage{{array,booktabs,graphicx}}\n\
                   \\begin{{document}}\n\\listoftables\n\\input{{{name}-tables}}\n\\end{{document}}\n"
    );
    fs::write(folder.join(format!("{name}.tex")), article).unwrap();
    let run = Command::new(program)
        .current_dir(folder)
        .args(["-interaction=nonstopmode", "-halt-on-error", &format!("{name}.tex")])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{name}: {log}");
    assert!(folder.join(format!("{name}.pdf")).is_file(), "{name}: {log}");
    log
}

/// Where pages stay, or a folder that goes.
fn pages() -> (Option<tempfile::TempDir>, PathBuf) {
    match std::env::var_os("BYOL_SWEEP_PAGES") {
        Some(kept) => (None, PathBuf::from(kept)),
        None => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().to_owned();
            (Some(folder), path)
        }
    }
}

#[test]
#[ignore = "needs a LaTeX: BYOL_SWEEP_PDFLATEX"]
fn the_tables_of_kept_reports_are_set() {
    let (_held, folder) = pages();
    for kept in kept() {
        let name = kept.file_name().unwrap().to_str().unwrap();
        set(&kept.join("tables.tex"), &folder, name);
        // The second run reads the list of tables that the first wrote.
        let log = set(&kept.join("tables.tex"), &folder, name);
        assert!(!log.contains("Overfull"), "{name} is wider than its page: {log}");
    }
}

#[test]
#[ignore = "needs a LaTeX: BYOL_SWEEP_PDFLATEX"]
fn names_that_people_choose_break_no_table() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report/small-batch");
    let rows = fs::read_to_string(kept.join("rows.jsonl")).unwrap();
    let mut gathered = Gathered::from_jsonl(&rows).unwrap();
    let ascii: String = (' '..='~').collect();
    let letters: String = ('\u{a0}'..='\u{17f}').collect();
    gathered.sweep.name = format!("{ascii}\n\\end{{document}}");
    for (trial, arm) in gathered.trials.iter_mut().zip([
        format!("[{ascii}"),
        "*".to_owned(),
        letters,
        "批 ± − – — “a” ‘b’ … † ‡ § ¶ τ σ µ ≤ ≥ ≈ → × ·\u{0}\u{200b}".to_owned(),
    ]) {
        Arc::make_mut(&mut trial.labels)[0].arm = Some(arm);
    }
    let (_held, folder) = pages();
    let report = report::build(&gathered).unwrap();
    let written =
        report::write(&report, &folder.join("hostile"), &[Format::Tex], Columns::Two).unwrap();
    set(&written.files[0], &folder, "names");
}
