//! A report's page as a browser shows it. Left out of a plain run:
//! `BYOL_SWEEP_CHROMIUM=chromium cargo test --test it -- --ignored report_page::` runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use byol_sweep::report::{self, Columns, Format, Gathered};

/// Opens a page at a trial, returning what its script made of it.
fn shown(page: &Path, trial: &str) -> String {
    let program = std::env::var_os("BYOL_SWEEP_CHROMIUM").expect("BYOL_SWEEP_CHROMIUM is not set");
    let output = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"])
        .args(["--dump-dom", &format!("file://{}#{trial}", page.display())])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs a browser: BYOL_SWEEP_CHROMIUM"]
fn the_page_runs_its_own_script_and_no_other() {
    const INTRUDER: &str = "<script>document.title = 'another script ran'</script>\
                            <img src=x onerror=\"document.title = 'another script ran'\">";
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report/small-batch");
    let rows = fs::read_to_string(kept.join("rows.jsonl")).unwrap();
    let mut gathered = Gathered::from_jsonl(&rows).unwrap();
    gathered.sweep.description = INTRUDER.to_owned();
    let report = report::build(&gathered).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = report::write(&report, folder.path(), &[Format::Html], Columns::Two).unwrap();
    let title = format!("<title>{}</title>", report.text.title);

    let page = shown(&written.files[0], "trial-2");
    assert!(page.contains("class=\"js\"") && page.contains(&title));
    assert_eq!(page.matches("aria-expanded=\"true\"").count(), 1, "the trial asked for is open");

    // As if a name had not been escaped: the page's policy still stops it.
    let text = fs::read_to_string(&written.files[0]).unwrap();
    fs::write(&written.files[0], text.replacen("<header>", &format!("<header>{INTRUDER}"), 1))
        .unwrap();
    let page = shown(&written.files[0], "trial-2");
    assert!(page.contains("<script>document.title"), "the intruder is on the page");
    assert!(page.contains(&title) && page.contains("class=\"js\""));
}
