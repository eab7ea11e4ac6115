//! `data`: the sets that a sweep can name.

use std::path::Path;

use serde_json::json;

use super::args::{DataArgs, DataVerb, Form};
use super::exit::ExitCode;
use super::places::Places;
use super::table::{Align, Table};
use super::{JSON_SCHEMA, json_text};
use crate::data::check::{self, CheckReport, Kind, SizeRange};
use crate::data::fetch::{self, Fetched, Step};
use crate::ui::Ui;

/// What there is to say of a data set.
struct Listed {
    name: &'static str,
    what: &'static str,
    place: Place,
}

/// Where its images come from.
#[derive(Clone, Copy)]
enum Place {
    /// Made in memory.
    Memory,
    /// In this folder of the data folder, once fetched.
    Fetched(&'static str),
    /// Where the sweep says.
    Path,
}

const SETS: [Listed; 4] = [
    Listed {
        name: "shapes",
        what: "procedural shapes, ten classes; for trying things out without a download",
        place: Place::Memory,
    },
    Listed {
        name: "cifar10",
        what: "CIFAR-10, 50,000 training and 10,000 test images of 32x32 in ten classes",
        place: Place::Fetched("cifar-10-batches-bin"),
    },
    Listed {
        name: "idx",
        what: "files in the format of MNIST and its family, plain or gzipped",
        place: Place::Path,
    },
    Listed {
        name: "image_folder",
        what: "train/<class>/* and val/<class>/*, JPEG or PNG",
        place: Place::Path,
    },
];

pub(super) fn run(args: &DataArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    match &args.verb {
        DataVerb::List(reader) => {
            ui.print(&match reader.form() {
                Form::Text => text(places),
                Form::Json => json_text(&listed(places)),
            })?;
            Ok(ExitCode::Success)
        }
        DataVerb::Fetch { name } => fetch(name, places, ui),
        DataVerb::Check { path, reader } => check(path, reader.form(), ui),
    }
}

fn fetch(name: &str, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let archive = fetch::known(name)?;
    let bar = ui.transfer();
    let fetched = fetch::fetch(&archive, &places.data, &mut |step| match step {
        Step::Downloading { done, total } => bar.received(done, total),
        Step::Verifying => bar.says("verifying the checksum"),
        Step::Unpacking => bar.says("unpacking"),
    })?;
    bar.finish();
    match fetched {
        Fetched::New(folder) => ui.note(&format!("{name} is now in {}", folder.display())),
        Fetched::AlreadyThere(folder) => {
            ui.note(&format!("{name} was already in {}, and is complete", folder.display()));
        }
    }
    Ok(ExitCode::Success)
}

/// Exit code 1 where a file cannot be used.
fn check(path: &Path, form: Form, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let bar = ui.transfer();
    let report = check::check(path, &|done, all| bar.read(done, all))?;
    bar.finish();
    ui.print(&match form {
        Form::Text => findings(&report),
        Form::Json => json_text(&checked(path, &report)),
    })?;
    Ok(if report.broken.is_empty() { ExitCode::Success } else { ExitCode::Internal })
}

fn checked(path: &Path, report: &CheckReport) -> serde_json::Value {
    json!({ "schema": JSON_SCHEMA, "path": path, "report": report })
}

fn findings(report: &CheckReport) -> String {
    let kind = match report.kind {
        Kind::Cifar10 => "cifar10",
        Kind::Idx => "idx",
        Kind::ImageFolder => "image_folder",
    };
    let mut text = format!("data.name = {kind:?}\n");
    if let Some(digest) = &report.digest {
        text.push_str(&format!("data.digest = {digest:?}\n"));
    }
    let mut table = Table::new(&[
        ("part", Align::Left),
        ("class", Align::Left),
        ("images", Align::Right),
        ("pixels", Align::Left),
    ]);
    let parts = [("train", Some(&report.train)), ("test", report.test.as_ref())];
    for (part, split) in parts.into_iter().filter_map(|(part, split)| Some((part, split?))) {
        let sizes = split.sizes.map(pixels).unwrap_or_default();
        table.push(vec![part.into(), "all".into(), split.images.to_string(), sizes]);
        for class in &split.classes {
            let images = class.images.to_string();
            table.push(vec![part.into(), class.name.clone(), images, String::new()]);
        }
    }
    text.push_str(&table.text());
    for file in &report.broken {
        text.push_str(&format!("broken: {}: {}\n", file.path.display(), file.cause));
    }
    for path in &report.passed_over {
        text.push_str(&format!("passed over: {}\n", path.display()));
    }
    text
}

fn pixels(range: SizeRange) -> String {
    let SizeRange { min_width, max_width, min_height, max_height } = range;
    if (min_width, min_height) == (max_width, max_height) {
        format!("{min_width}x{min_height}")
    } else {
        format!("{min_width}x{min_height} to {max_width}x{max_height}")
    }
}

fn text(places: &Places) -> String {
    let mut table =
        Table::new(&[("data.name", Align::Left), ("images", Align::Left), ("where", Align::Left)]);
    for set in &SETS {
        table.push(vec![set.name.into(), set.what.into(), whereabouts(set, places)]);
    }
    table.text()
}

fn whereabouts(set: &Listed, places: &Places) -> String {
    match set.place {
        Place::Memory => "made in memory".to_owned(),
        Place::Path => "data.path in the sweep file".to_owned(),
        Place::Fetched(folder) if is_here(folder, places) => {
            places.data.join(folder).display().to_string()
        }
        Place::Fetched(_) => format!("not here: byol-sweep data fetch {}", set.name),
    }
}

fn is_here(folder: &str, places: &Places) -> bool {
    places.data.join(folder).is_dir()
}

fn listed(places: &Places) -> serde_json::Value {
    let set = |set: &Listed| {
        let here = match set.place {
            Place::Memory => Some(true),
            Place::Fetched(folder) => Some(is_here(folder, places)),
            Place::Path => None,
        };
        json!({ "name": set.name, "images": set.what, "here": here })
    };
    json!({
        "schema": JSON_SCHEMA,
        "data_dir": places.data,
        "sets": SETS.iter().map(set).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Args;
    use super::*;
    use crate::data::check::{BrokenFile, ClassCount, SplitReport};

    #[test]
    fn the_sets_for_programs() {
        let typed = ["byol-sweep", "--data-dir", "/no/data/here", "doctor"];
        let places = Places::of(&Args::try_parse_from(typed).unwrap().global).unwrap();
        insta::assert_json_snapshot!("listed", listed(&places));
    }

    #[test]
    fn what_a_check_found_for_people_and_programs() {
        let report = CheckReport {
            kind: Kind::ImageFolder,
            digest: Some("c0ffee".to_owned()),
            train: SplitReport {
                images: 3,
                classes: vec![
                    ClassCount { name: "cat".to_owned(), images: 2 },
                    ClassCount { name: "dog".to_owned(), images: 1 },
                ],
                sizes: Some(SizeRange {
                    min_width: 32,
                    max_width: 640,
                    min_height: 32,
                    max_height: 480,
                }),
            },
            test: None,
            broken: vec![BrokenFile {
                path: "train/dog/1.png".into(),
                cause: "it ends too early".to_owned(),
            }],
            passed_over: vec!["train/dog/notes.txt".into()],
        };
        insta::assert_snapshot!("findings", findings(&report));
        insta::assert_json_snapshot!("checked_data", checked(Path::new("pets"), &report));
    }
}
