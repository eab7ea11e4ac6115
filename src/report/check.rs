//! Whether the files of a kept report still follow from the rows beside them. Needs no store.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::chart::Columns;
use super::leftover::is_of_a_report;
use super::write::{self, Format, WriteError};
use super::{BuildError, build};
use super::{Gathered, RowsError, png_text};

/// What a report that is kept is known by.
const ROWS: &str = "rows.jsonl";
/// Share of a picture's pixels that may differ: edges of letters, where machines round otherwise.
const BLURRED: f64 = 0.002;
/// Shades of a colour that such a pixel may be apart.
const SHADES: u8 = 24;

/// What came of checking a report.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    /// Files that follow from the rows.
    pub followed: usize,
    /// Files that do not.
    pub faults: Vec<Fault>,
}

/// A file that does not follow from the rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// What is wrong with a file of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The rows give something else.
    Differs,
    /// The rows give it, and it is not there.
    Missing,
    /// It says that it is of a report, and the rows give no such file.
    LeftOver,
}

/// A report that cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The rows are none.
    #[error("{}: {source}", path.display())]
    Rows {
        /// Their file.
        path: PathBuf,
        /// What is wrong with them.
        source: RowsError,
    },
    /// The rows give no report.
    #[error("{}: {source}", path.display())]
    Build {
        /// Their file.
        path: PathBuf,
        /// Why.
        source: BuildError,
    },
    /// A figure cannot be drawn.
    #[error(transparent)]
    Draw(#[from] WriteError),
}

/// Returns the reports that are kept in a folder: itself, and all below it.
///
/// # Errors
/// A folder cannot be read.
pub fn kept(folder: &Path) -> Result<Vec<PathBuf>, CheckError> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for path in paths(&folder)? {
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else if path.ends_with(ROWS) {
                found.push(folder.clone());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, CheckError> {
    let failed = |source| CheckError::Read { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(failed)
}

/// Draws a kept report again and compares what is there with it.
///
/// # Errors
/// The rows cannot be read, or give no report.
pub fn check(folder: &Path) -> Result<Checked, CheckError> {
    let path = folder.join(ROWS);
    let text = fs::read_to_string(&path)
        .map_err(|source| CheckError::Read { path: path.clone(), source })?;
    let gathered = Gathered::from_jsonl(&text)
        .map_err(|source| CheckError::Rows { path: path.clone(), source })?;
    let report = build(&gathered).map_err(|source| CheckError::Build { path, source })?;
    let names: Vec<String> = paths(folder)?
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let formats: Vec<Format> = Format::ALL.into_iter().filter(|f| is_there(*f, &names)).collect();
    let compared = |columns| -> Result<Checked, CheckError> {
        Ok(compare(folder, &names, &write::files(&report, &formats, columns)?))
    };
    let usual = compared(Columns::Two)?;
    if usual.faults.is_empty() {
        return Ok(usual);
    }
    // It may have been drawn for one column.
    let narrow = compared(Columns::One)?;
    Ok(if narrow.faults.len() < usual.faults.len() { narrow } else { usual })
}

fn is_there(format: Format, names: &[String]) -> bool {
    let named = |name: &str| names.iter().any(|there| there == name);
    let ends = |ending: &str| names.iter().any(|there| there.ends_with(ending));
    match format {
        Format::Markdown => named("report.md"),
        Format::Html => named("index.html"),
        Format::Tex => named("tables.tex"),
        Format::Png => ends(".png"),
        Format::Svg => ends(".svg"),
        Format::Csv => named("results.csv"),
        Format::Json => named("results.json") || named("figures.json"),
        Format::Rows => named(ROWS),
    }
}

fn compare(folder: &Path, names: &[String], given: &[(String, Vec<u8>)]) -> Checked {
    let mut checked = Checked { followed: 0, faults: Vec::new() };
    let mut fault = |name: &str, kind| {
        checked.faults.push(Fault { name: name.to_owned(), kind });
    };
    for (name, bytes) in given {
        match fs::read(folder.join(name)) {
            Ok(there) if is_same(name, &there, bytes) => checked.followed += 1,
            Ok(_) => fault(name, FaultKind::Differs),
            Err(_) => fault(name, FaultKind::Missing),
        }
    }
    for name in names.iter().filter(|name| !given.iter().any(|(given, _)| given == *name)) {
        if fs::read(folder.join(name)).is_ok_and(|bytes| is_of_a_report(name, &bytes)) {
            fault(name, FaultKind::LeftOver);
        }
    }
    checked
}

fn is_same(name: &str, there: &[u8], given: &[u8]) -> bool {
    there == given
        || (name.ends_with(".png")
            && png_text::of(there) == png_text::of(given)
            && is_same_picture(there, given).unwrap_or(false))
}

fn is_same_picture(there: &[u8], given: &[u8]) -> Option<bool> {
    let read = |bytes| Some(image::load_from_memory(bytes).ok()?.to_rgb8());
    let (there, given) = (read(there)?, read(given)?);
    if there.dimensions() != given.dimensions() {
        return Some(false);
    }
    let differs = |(a, b): &(&image::Rgb<u8>, &image::Rgb<u8>)| {
        a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > SHADES)
    };
    let differing = there.pixels().zip(given.pixels()).filter(differs).count();
    Some(differing as f64 / f64::from(there.width() * there.height()) < BLURRED)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// A kept report of all formats, and its folder.
    fn kept_report(columns: Columns) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let report = build(&samples::tau_sweep()).unwrap();
        write::write(&report, folder.path(), &Format::ALL, columns).unwrap();
        folder
    }

    fn faults(folder: &tempfile::TempDir) -> Vec<(String, FaultKind)> {
        let faults = check(folder.path()).unwrap().faults;
        faults.into_iter().map(|fault| (fault.name, fault.kind)).collect()
    }

    #[test]
    fn a_report_follows_from_its_rows_at_any_width_and_in_any_choice_of_formats() {
        for columns in Columns::ALL {
            let folder = kept_report(columns);
            assert_eq!(faults(&folder), []);
            let pictures = paths(folder.path()).unwrap().into_iter();
            let pictures = pictures.filter(|path| path.extension().is_some_and(|e| e == "png"));
            let others = ["tables.tex", "results.json", "figures.json"];
            for path in pictures.chain(others.map(|name| folder.path().join(name))) {
                fs::remove_file(path).unwrap();
            }
            // The page shows drawings where there are no pictures.
            let report = build(&samples::tau_sweep()).unwrap();
            write::write(&report, folder.path(), &[Format::Markdown, Format::Svg], columns)
                .unwrap();
            fs::write(folder.path().join("notes.txt"), "mine").unwrap();
            assert_eq!(faults(&folder), []);
        }
    }

    #[test]
    fn every_file_that_was_changed_is_named() {
        let folder = kept_report(Columns::Two);
        let change = |name: &str, change: &dyn Fn(String) -> String| {
            let path = folder.path().join(name);
            fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
        };
        change("report.md", &|text| text.replacen("72.", "73.", 1));
        change("tables.tex", &|text| text + "\n");
        change("index.html", &|text| text.replacen("BLAKE3", "", 1));
        let pictures =
            ["curves.png", "accuracy-by-tau-base.png"].map(|name| folder.path().join(name));
        fs::copy(&pictures[0], &pictures[1]).unwrap();
        fs::copy(&pictures[0], folder.path().join("before.png")).unwrap();
        fs::remove_file(folder.path().join("curves.svg")).unwrap();
        let mut found = faults(&folder);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            ("accuracy-by-tau-base.png", FaultKind::Differs),
            ("before.png", FaultKind::LeftOver),
            ("curves.svg", FaultKind::Missing),
            ("index.html", FaultKind::Differs),
            ("report.md", FaultKind::Differs),
            ("tables.tex", FaultKind::Differs),
        ];
        assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn a_changed_row_is_found_by_all_that_was_drawn_from_it() {
        let folder = kept_report(Columns::Two);
        let path = folder.path().join(ROWS);
        let rows = fs::read_to_string(&path).unwrap();
        let at = rows.find("\"linear_top1\":0.").unwrap() + "\"linear_top1\":0.".len();
        let mut changed = rows.clone();
        changed.replace_range(at..=at, if rows.as_bytes()[at] == b'9' { "1" } else { "9" });
        fs::write(&path, changed).unwrap();
        let names: Vec<String> = faults(&folder).into_iter().map(|(name, _)| name).collect();
        // All but the rows themselves.
        let written = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names.len(), written - 1, "{names:?}");
        fs::write(&path, "no rows\n").unwrap();
        let error = check(folder.path()).unwrap_err().to_string();
        assert!(error.contains("rows.jsonl: line 1 is not a row of a report"), "{error}");
    }

    #[test]
    fn a_picture_may_be_rounded_otherwise_and_no_more() {
        let png = |picture: &image::RgbImage| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
            bytes.into_inner()
        };
        let white = image::RgbImage::from_pixel(100, 100, image::Rgb([255; 3]));
        let (mut blurred, mut other) = (white.clone(), white.clone());
        blurred.pixels_mut().take(10).for_each(|pixel| pixel.0 = [0; 3]);
        other.pixels_mut().take(30).for_each(|pixel| pixel.0 = [0; 3]);
        assert!(is_same("a.png", &png(&blurred), &png(&white)));
        assert!(!is_same("a.png", &png(&other), &png(&white)));
        assert!(!is_same("a.md", &png(&blurred), &png(&white)));
        let told = png_text::with(&png(&white), &[("Rows", "others".to_owned())]);
        assert!(!is_same("a.png", &told, &png(&white)));
    }
}
