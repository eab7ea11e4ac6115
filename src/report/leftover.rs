//! Figures that an earlier report left in its folder and that belong to none any more. What no report
//! of ours tells of stays where it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::png_text;

/// Names what an earlier report in the folder drew, and `figures` do not hold any more: files that
/// its `figures.json` lists, and that say themselves that they are of a report. A folder that cannot be
/// read has none.
pub(super) fn left(folder: &Path, figures: &[&str]) -> Vec<String> {
    let listed = listed(folder);
    let is_left = |name: &String| {
        let stem = name.strip_suffix(".png").or_else(|| name.strip_suffix(".svg"));
        stem.is_some_and(|stem| listed.contains(stem) && !figures.contains(&stem))
            && fs::read(folder.join(name)).is_ok_and(|bytes| is_of_a_report(name, &bytes))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let names = files.filter_map(|entry| entry.file_name().into_string().ok());
    let mut left: Vec<String> = names.filter(is_left).collect();
    left.sort();
    left
}

/// The figures that the report in a folder has.
fn listed(folder: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(folder.join("figures.json")).unwrap_or_default();
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let is_ours = document["provenance"]["rows_blake3"].is_string();
    let figures = document["figures"].as_array().filter(|_| is_ours);
    let file = |figure: &Value| Some(figure["heading"]["file"].as_str()?.to_owned());
    figures.into_iter().flatten().filter_map(file).collect()
}

/// Whether a figure carries the words of a report.
pub(super) fn is_of_a_report(name: &str, bytes: &[u8]) -> bool {
    if name.ends_with(".png") {
        return png_text::of(bytes).iter().any(|words| words.starts_with(b"Rows\0"));
    }
    name.ends_with(".svg") && String::from_utf8_lossy(bytes).contains("\nRows: BLAKE3 ")
}
