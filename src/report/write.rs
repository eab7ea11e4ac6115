//! A report's files. They are written together, as far as a file system can.

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::chart::{self, Columns};
use super::page::{self, Pictures};
use super::{Figure, Report, html, latex, leftover, png_text};
use crate::files::{Unwritten, write_together};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `report.md`.
    Markdown,
    /// `index.html`: all of it, for a browser.
    Html,
    /// `tables.tex`: the tables for a paper.
    Tex,
    /// One picture a figure.
    Png,
    /// One drawing a figure, for print.
    Svg,
    /// `results.csv`, and `provenance.json`: where it comes from.
    Csv,
    /// `results.json`, and `figures.json`: what the charts show.
    Json,
    /// `rows.jsonl`: what the report was drawn from.
    Rows,
}

impl Format {
    /// What is written unless something else is asked for: a drawing would be there twice.
    pub const USUAL: [Self; 7] =
        [Self::Markdown, Self::Html, Self::Tex, Self::Png, Self::Csv, Self::Json, Self::Rows];
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Markdown,
        Self::Html,
        Self::Tex,
        Self::Png,
        Self::Svg,
        Self::Csv,
        Self::Json,
        Self::Rows,
    ];

    /// Returns what `--format` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Tex => "tex",
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Rows => "rows",
        }
    }
}

/// Files that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The destination exists and is no folder.
    #[error("{0} is a file; a report needs a folder, name another with --out")]
    NotAFolder(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A chart cannot be drawn.
    #[error("cannot draw {file}: {source}")]
    Chart {
        /// The figure.
        file: String,
        /// Why.
        source: chart::ChartError,
    },
    /// The records cannot be set as CSV.
    #[error("cannot set results.csv: {0}")]
    Csv(#[from] csv::Error),
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Figures of the report before that this one has not, which were removed.
    pub removed: Vec<PathBuf>,
}

/// Writes a report's files into `folder`, which is made where it is missing. Files of the same names
/// are replaced; figures that the report before drew and this one has not are removed, others are left
/// alone; where one cannot be written, those that were there stay.
///
/// # Errors
/// The destination is a file, the disk refuses, a chart cannot be drawn.
pub fn write(
    report: &Report,
    folder: &Path,
    formats: &[Format],
    columns: Columns,
) -> Result<Written, WriteError> {
    if folder.exists() && !folder.is_dir() {
        return Err(WriteError::NotAFolder(folder.to_owned()));
    }
    let files = files(report, formats, columns)?;
    let drawn: Vec<&str> = figures(report).map(|(file, _)| file.as_str()).collect();
    let gone =
        if replaces_all(folder, formats) { leftover::left(folder, &drawn) } else { Vec::new() };
    write_together(folder, &files, &gone)
        .map_err(|Unwritten { path, source }| WriteError::Io { path, source })?;
    let paths = |names: Vec<String>| names.into_iter().map(|name| folder.join(name)).collect();
    let files = files.into_iter().map(|(name, _)| name).collect();
    Ok(Written { files: paths(files), removed: paths(gone) })
}

/// Returns whether these formats draw figures, and set anew whatever in the folder shows or lists those
/// of the report before.
fn replaces_all(folder: &Path, formats: &[Format]) -> bool {
    let draws = [Format::Png, Format::Svg].iter().any(|format| formats.contains(format));
    let shows = [("report.md", Format::Markdown), ("figures.json", Format::Json)];
    draws
        && shows
            .iter()
            .all(|(file, format)| formats.contains(format) || !folder.join(file).exists())
}

/// Names of files and what they hold.
type Files = Vec<(String, Vec<u8>)>;

/// Returns a report's files.
pub(super) fn files(
    report: &Report,
    formats: &[Format],
    columns: Columns,
) -> Result<Files, WriteError> {
    let drawn = [Format::Png, Format::Svg].into_iter().find(|format| formats.contains(format));
    let pictures = drawn.map_or(Pictures::Omitted, |format| Pictures::Linked(format.name()));
    // Each by itself: of a large sweep the page, the charts and the rows take about the same time.
    let of_each: Result<Vec<Files>, WriteError> =
        formats.par_iter().map(|format| of_format(report, *format, pictures, columns)).collect();
    Ok(of_each?.concat())
}

fn of_format(
    report: &Report,
    format: Format,
    pictures: Pictures,
    columns: Columns,
) -> Result<Files, WriteError> {
    let one = |name: &str, bytes: Vec<u8>| vec![(name.to_owned(), bytes)];
    Ok(match format {
        Format::Markdown => one("report.md", page::markdown(report, pictures).into_bytes()),
        Format::Html => {
            let failed = |source| WriteError::Chart { file: "index.html".to_owned(), source };
            one("index.html", html::page(report).map_err(failed)?.into_bytes())
        }
        Format::Tex => one("tables.tex", latex::page(report).into_bytes()),
        Format::Png => {
            let words = report.provenance.entries();
            each_figure(report, |file, figure| {
                let bytes = chart::png(figure, columns)?;
                Ok((format!("{file}.png"), png_text::with(&bytes, &words)))
            })?
        }
        Format::Svg => each_figure(report, |file, figure| {
            let text = report.provenance.within_svg(&chart::svg(figure, columns)?);
            Ok((format!("{file}.svg"), text.into_bytes()))
        })?,
        Format::Csv => {
            // CSV has no comments that its readers skip.
            let provenance = format!("{:#}\n", report.provenance.to_json());
            vec![
                ("results.csv".to_owned(), report.records.to_csv()?),
                ("provenance.json".to_owned(), provenance.into_bytes()),
            ]
        }
        Format::Json => vec![
            ("results.json".to_owned(), report.records.to_json().into_bytes()),
            ("figures.json".to_owned(), report.figures_json().into_bytes()),
        ],
        Format::Rows => one("rows.jsonl", report.rows.clone().into_bytes()),
    })
}

fn each_figure(
    report: &Report,
    draw: impl Fn(&str, &Figure) -> Result<(String, Vec<u8>), chart::ChartError>,
) -> Result<Files, WriteError> {
    let one = |(file, figure): (&String, &Figure)| {
        draw(file, figure).map_err(|source| WriteError::Chart { file: file.clone(), source })
    };
    figures(report).map(one).collect()
}

/// The figures with their file names.
fn figures(report: &Report) -> impl Iterator<Item = (&String, &Figure)> {
    report.figures.iter().map(|figure| (&figure.heading().file, figure))
}

#[cfg(test)]
mod tests {
    use super::super::{build, samples};
    use super::*;

    #[test]
    fn all_files_are_written_and_the_page_links_its_charts() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("reports/tau");
        let report = build(&samples::tau_sweep()).unwrap();
        let written = write(&report, &out, &Format::USUAL, Columns::Two).unwrap().files;
        let names: Vec<&str> =
            written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "report.md",
                "index.html",
                "tables.tex",
                "accuracy-by-tau-base.png",
                "curves.png",
                "schedules.png",
                "results.csv",
                "provenance.json",
                "results.json",
                "figures.json",
                "rows.jsonl"
            ]
        );
        let page = std::fs::read_to_string(out.join("report.md")).unwrap();
        for picture in names.iter().filter(|name| name.ends_with(".png")) {
            assert!(page.contains(&format!("]({picture})")), "{picture}");
            let image = image::open(out.join(picture)).unwrap();
            assert_eq!(image.width(), Columns::Two.pixels());
        }
        let first: Vec<Vec<u8>> = written.iter().map(|p| std::fs::read(p).unwrap()).collect();
        write(&report, &out, &Format::USUAL, Columns::Two).unwrap();
        let second: Vec<Vec<u8>> = written.iter().map(|p| std::fs::read(p).unwrap()).collect();
        assert!(first == second, "the same rows gave other bytes");
    }

    #[test]
    fn a_page_without_charts_links_none() {
        let folder = tempfile::tempdir().unwrap();
        let report = build(&samples::tau_sweep()).unwrap();
        let written =
            write(&report, folder.path(), &[Format::Markdown], Columns::Two).unwrap().files;
        assert_eq!(written, [folder.path().join("report.md")]);
        assert!(!std::fs::read_to_string(&written[0]).unwrap().contains(".png"));
    }

    #[test]
    fn a_report_that_cannot_be_written_leaves_the_one_before_whole() {
        let folder = tempfile::tempdir().unwrap();
        let report = build(&samples::tau_sweep()).unwrap();
        std::fs::write(folder.path().join("report.md"), "the one before").unwrap();
        std::fs::create_dir(folder.path().join("rows.jsonl")).unwrap();
        let error = write(&report, folder.path(), &Format::USUAL, Columns::Two).unwrap_err();
        assert!(error.to_string().contains("rows.jsonl"), "{error}");
        let page = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
        assert_eq!(page, "the one before");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left aside");
    }

    #[test]
    fn figures_that_the_report_before_drew_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let formats = [Format::Png, Format::Svg, Format::Json];
        let before = build(&samples::batch_sweep()).unwrap();
        let first = write(&before, folder.path(), &formats, Columns::Two).unwrap();
        assert_eq!(first.removed, Vec::<PathBuf>::new());
        // Of a report, but none that was drawn here; ours by name, but drawn by a person.
        std::fs::copy(at("accuracy-by-batch-size.png"), at("chosen.png")).unwrap();
        std::fs::write(at("accuracy-by-batch-size.svg"), "<svg>mine</svg>").unwrap();
        std::fs::write(at("accuracy-by-batch-size.txt"), "notes").unwrap();
        let after = build(&samples::tau_sweep()).unwrap();
        let rows = write(&after, folder.path(), &[Format::Csv], Columns::Two).unwrap();
        assert_eq!(rows.removed, Vec::<PathBuf>::new(), "what lists them stays as it was");
        let drawings = [Format::Svg, Format::Json];
        let second = write(&after, folder.path(), &drawings, Columns::Two).unwrap();
        let gone = before.figures.iter().map(|figure| &figure.heading().file);
        let gone = gone.filter(|file| !figures(&after).any(|(there, _)| there == *file));
        let gone: Vec<String> =
            gone.flat_map(|file| [format!("{file}.png"), format!("{file}.svg")]).collect();
        let mut expected: Vec<PathBuf> = gone.iter().map(|name| at(name)).collect();
        expected.retain(|path| !path.ends_with("accuracy-by-batch-size.svg"));
        expected.sort();
        assert!(expected.contains(&at("accuracy-by-batch-size.png")), "{expected:?}");
        assert_eq!(second.removed, expected);
        assert!(expected.iter().all(|path| !path.exists()));
        for kept in ["chosen.png", "accuracy-by-batch-size.svg", "accuracy-by-batch-size.txt"] {
            assert!(at(kept).exists(), "{kept}");
        }
        assert!(at("schedules.png").exists(), "this report has it too");
    }

    #[test]
    fn a_list_that_is_of_no_report_removes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (samples::batch_sweep(), samples::tau_sweep());
        let draw = |gathered, formats: &[Format]| {
            write(&build(gathered).unwrap(), folder.path(), formats, Columns::Two).unwrap()
        };
        draw(&before, &[Format::Svg, Format::Json]);
        let path = folder.path().join("figures.json");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("rows_blake3", "rows")).unwrap();
        assert_eq!(draw(&after, &[Format::Svg, Format::Json]).removed, Vec::<PathBuf>::new());
        assert!(folder.path().join("accuracy-by-batch-size.svg").exists());
    }

    #[test]
    fn every_file_but_the_table_of_numbers_tells_its_rows() {
        let report = build(&samples::tau_sweep()).unwrap();
        for (name, bytes) in files(&report, &Format::ALL, Columns::Two).unwrap() {
            let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            let told = !matches!(name.as_str(), "results.csv" | "rows.jsonl");
            assert_eq!(holds(&report.provenance.rows), told, "{name}");
        }
    }

    #[test]
    fn drawings_for_print_are_written_where_asked_for_and_linked_alone() {
        let folder = tempfile::tempdir().unwrap();
        let report = build(&samples::tau_sweep()).unwrap();
        let formats = [Format::Markdown, Format::Svg];
        let written = write(&report, folder.path(), &formats, Columns::One).unwrap().files;
        assert!(written.contains(&folder.path().join("curves.svg")), "{written:?}");
        let page = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
        assert!(page.contains("](curves.svg)") && !page.contains(".png"), "{page}");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        std::fs::write(&path, "mine").unwrap();
        let report = build(&samples::tau_sweep()).unwrap();
        let error = write(&report, &path, &[Format::Json], Columns::Two).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("report is a file; a report needs a folder, name another with --out")
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
