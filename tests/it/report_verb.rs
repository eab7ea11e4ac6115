//! `report` as people type it: what is refused, what is written, and whether it still follows from
//! its rows.

use std::fs;
use std::path::Path;

use byol_sweep::store::Store;

use crate::exports::{block_on, filled, plan};
use crate::terminal::{Terminal, assert_code, stderr, stdout};

/// Returns the names below a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_report_is_written_whole_and_follows_from_its_rows_without_a_store() {
    let terminal = filled();
    assert_code(&terminal.type_in("report"), 0);
    assert_code(&terminal.type_in("report tiny --metric knn_top1"), 0);
    assert_eq!(names(&terminal.path().join("reports")), ["tiny", "tiny-knn-top1"]);
    let folder = terminal.path().join("reports/tiny");
    let expected = [
        "accuracy-by-batch-size.png",
        "change-by-removal.png",
        "curves.png",
        "figures.json",
        "index.html",
        "provenance.json",
        "report.md",
        "results.csv",
        "results.json",
        "rows.jsonl",
        "tables.tex",
    ];
    let written = names(&folder);
    assert!(expected.iter().all(|name| written.iter().any(|there| there == name)), "{written:?}");

    fs::remove_dir_all(terminal.path().join(".byol-sweep")).unwrap();
    let checked = terminal.type_in("report --check");
    assert_code(&checked, 0);
    let said = stdout(&checked);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.lines().all(|line| line.ends_with("files follow from their rows")), "{said}");
}

#[test]
fn what_does_not_follow_from_its_rows_is_named_and_ends_with_3() {
    let terminal = filled();
    assert_code(&terminal.type_in("report --format md,tex,csv,rows"), 0);
    let folder = terminal.path().join("reports/tiny");
    let page = fs::read_to_string(folder.join("report.md")).unwrap();
    fs::write(folder.join("report.md"), page.replacen("tiny", "huge", 1)).unwrap();
    let checked = terminal.type_in("report --check reports/tiny");
    assert_code(&checked, 3);
    assert_eq!(stdout(&checked), "reports/tiny/report.md does not follow from the rows\n");

    fs::write(folder.join("rows.jsonl"), "{}\n").unwrap();
    let checked = terminal.type_in("report --check");
    assert_code(&checked, 3);
    let said = stdout(&checked);
    assert!(said.starts_with("reports/tiny/rows.jsonl: line 1 is not a row of a report"), "{said}");

    fs::remove_dir_all(&folder).unwrap();
    let nothing = terminal.type_in("report --check reports");
    assert_code(&nothing, 4);
    assert!(stderr(&nothing).contains("reports holds no report"), "{}", stderr(&nothing));
    let nowhere = terminal.type_in("report --check elsewhere");
    assert_code(&nowhere, 4);
    assert!(stderr(&nowhere).contains("there is no folder elsewhere"), "{}", stderr(&nowhere));
}

#[test]
fn a_metric_that_does_not_exist_is_refused_with_the_nearest_name() {
    let terminal = filled();
    let refused = terminal.type_in("report --metric linear_topl");
    assert_code(&refused, 2);
    let said = stderr(&refused);
    assert!(said.contains("has no metric `linear_topl`: it has knn_top1, linear_top1"), "{said}");
    assert!(said.contains("did you mean `linear_top1`?"), "{said}");
    assert!(!terminal.path().join("reports").exists());
}

#[test]
fn a_sweep_without_a_finished_trial_is_refused_and_counted() {
    let terminal = Terminal::new();
    let plan = plan(crate::exports::SWEEP);
    block_on(async {
        let store = Store::open(&terminal.path().join(".byol-sweep")).await.unwrap();
        store.sync_plan(&plan, 1_000).await.unwrap();
        store.close().await;
    });
    let refused = terminal.type_in("report tiny");
    assert_code(&refused, 4);
    let said = stderr(&refused);
    assert!(said.contains("has no `linear_top1` yet: of 8 trials, 8 not started"), "{said}");
    assert!(!terminal.path().join("reports").exists());
}

#[test]
fn a_file_in_the_place_of_the_folder_stays_as_it_is() {
    let terminal = filled();
    let file = terminal.write("reports/tiny", "mine");
    let refused = terminal.type_in("report");
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("reports/tiny is a file"), "{}", stderr(&refused));
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    assert_eq!(names(&terminal.path().join("reports")), ["tiny"]);
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_report_before_whole() {
    let terminal = filled();
    assert_code(&terminal.type_in("report --format md,csv,json,rows"), 0);
    let folder = terminal.path().join("reports/tiny");
    let before = fs::read(folder.join("report.md")).unwrap();
    fs::remove_file(folder.join("rows.jsonl")).unwrap();
    fs::create_dir(folder.join("rows.jsonl")).unwrap();
    let refused = terminal.type_in("report --metric knn_top1 --out reports/tiny");
    assert_code(&refused, 1);
    assert!(
        stderr(&refused).contains("cannot write reports/tiny/rows.jsonl"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(fs::read(folder.join("report.md")).unwrap(), before);
    assert!(names(&folder).iter().all(|name| !name.starts_with('.')), "nothing is left aside");
}

#[test]
fn other_peoples_results_stand_beside_ours_and_in_the_rows() {
    let terminal = filled();
    terminal.write(
        "chen.csv",
        "batch_size,augment.remove,metric,value,unit,source\n64,none,linear_top1,91.5,percent,Chen (2021)\n",
    );
    terminal.write("odd.csv", "batchsize,metric,value\n64,linear_top1,0.9\n");
    assert_code(&terminal.type_in("import odd.csv"), 2);
    assert_code(&terminal.type_in("import chen.csv"), 0);
    assert_code(&terminal.type_in("report --format md,rows"), 0);
    let page = fs::read_to_string(terminal.path().join("reports/tiny/report.md")).unwrap();
    assert!(page.contains("| chen (%) |") && page.contains("| 91.5 |"), "{page}");
    fs::remove_dir_all(terminal.path().join(".byol-sweep")).unwrap();
    assert_code(&terminal.type_in("report --check"), 0);
}

#[test]
fn markup_in_names_is_words_on_every_page() {
    let terminal = Terminal::new();
    let text = crate::exports::SWEEP
        .replace("Batch size, \\\"and\\\" blur", "<script>alert(1)</script> & <img src=x>");
    let plan = plan(&text);
    block_on(crate::exports::fill(&terminal.path().join(".byol-sweep"), &plan));
    assert_code(&terminal.type_in("report --format html,md"), 0);
    let folder = terminal.path().join("reports/tiny");
    let html = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;img src=x&gt;"));
    assert!(!html.contains("<script>") && !html.contains("<img"), "only our script has a nonce");
    let page = fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(page.contains("\\<script>alert(1)\\</script>") && !page.contains(" <img"), "{page}");
}
