//! `data`: the sets that a sweep can name.

use serde_json::json;

use super::args::{DataArgs, DataVerb, Form};
use super::exit::ExitCode;
use super::places::Places;
use super::table::{Align, Table};
use super::{JSON_SCHEMA, json_text};
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
                Form::Json => json_text(&json(places)),
            })?;
            Ok(ExitCode::Success)
        }
        DataVerb::Fetch { name } => anyhow::bail!("{name}: fetching is not built in"),
        DataVerb::Check { path } => anyhow::bail!("{}: checking is not built in", path.display()),
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

fn json(places: &Places) -> serde_json::Value {
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
