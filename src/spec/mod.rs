//! The sweep file, resolved: what a sweep is before its grid is expanded, and how settings become
//! a [`run::RunSpec`]. Knows nothing of the store, of processes or of what is already done.

mod axis;
pub mod cell;
pub mod early;
mod error;
pub mod eval;
mod family;
mod jitter;
mod keys;
mod read;
pub mod resolve;
pub mod rules;
pub mod run;
pub mod schedule;
pub mod smoke;
pub mod source;
pub mod sweep;
pub mod tables;
#[cfg(test)]
mod tests;
mod value;
mod views;

use std::sync::Arc;

use miette::NamedSource;
use toml::de::{DeTable, DeValue};

pub use axis::Axis;
pub use error::{Fault, Site, SpecError};
pub use keys::{Acts, Info, Key, Kind, OPS, Op, Param, Plain, Scope, keys};
pub use tables::OTHER_KEYS;
pub use value::{Setting, Value};

pub(crate) use keys::nearest;

use error::{Faults, Source};
use read::{Entry, entries, unknown_key};
use rules::{RULES, Rules};
use tables::{TABLES, Tables};

/// A sweep file, every part of it checked by itself.
#[derive(Clone, Debug)]
pub struct RawSweep {
    /// Identity, evaluation, how to run.
    pub tables: Tables,
    /// What becomes the trials.
    pub rules: Rules,
    /// The text.
    pub text: String,
    /// The first line, for errors about what is not there.
    pub top: Site,
}

/// Reads a sweep file; `file_name` is what errors call it.
///
/// # Errors
/// Returns everything that is wrong with the file, each with its place.
pub fn parse(file_name: &str, text: &str) -> Result<RawSweep, SpecError> {
    let source: Source = Arc::new(NamedSource::new(file_name, text.to_owned()));
    let top = Site::new(&source, 0..text.find('\n').unwrap_or(text.len()));
    let document = DeTable::parse(text).map_err(|error| syntax(&source, &error))?;
    let mut sweep =
        RawSweep { tables: Tables::default(), rules: Rules::default(), text: text.to_owned(), top };
    let mut faults = Faults::default();
    for entry in entries(&source, document.get_ref()) {
        if TABLES.contains(&entry.name) {
            sweep.tables.read(&source, &entry, &mut faults);
        } else if RULES.contains(&entry.name) {
            sweep.rules.read(&source, &entry, &mut faults);
        } else {
            faults.push(unknown_top(&entry));
        }
    }
    sweep.rules.check_together(&mut faults);
    sweep.tables.check_complete(&sweep.top, &mut faults);
    faults.finish()?;
    Ok(sweep)
}

fn syntax(source: &Source, error: &toml::de::Error) -> Fault {
    let span = error.span().unwrap_or(0..0);
    Fault::new(format!("not valid TOML: {}", error.message()), &Site::new(source, span), "here")
}

fn unknown_top(entry: &Entry<'_, '_>) -> Fault {
    let name = entry.name;
    if name.contains('.') {
        return read::quoted(name, &entry.key_site);
    }
    if name == "seed" || name == "seeds" {
        return Fault::new(
            format!("unknown key `{name}` in a sweep file"),
            &entry.key_site,
            "unknown",
        )
        .help("write `seeds = [0, 1, 2]` under [replicates]");
    }
    if Key::named(name).is_none() && !Key::is_prefix(name) {
        let valid: Vec<_> = TABLES.into_iter().chain(RULES).collect();
        return unknown_key("", name, &valid, &entry.key_site);
    }
    let fault = Fault::new(
        format!("the setting `{name}` stands outside [base]"),
        &entry.key_site,
        "outside [base]",
    );
    fault.help(match entry.node.get_ref() {
        DeValue::Table(_) => format!("write [base.{name}], or `{name}.<key> = ...` under [base]"),
        _ => format!("write `{name} = ...` under [base]"),
    })
}

/// Settings and tables from `--set key=value`, which have the last word.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The settings, in the order of the command line.
    pub settings: Vec<Setting>,
}

impl RawSweep {
    /// Reads `--set` pairs: settings are returned, keys of `replicates`, `eval`, `resources`,
    /// `retry`, `checkpoint`, `report` and `early_stop` change the sweep. A value that is not TOML is a string.
    ///
    /// # Errors
    /// Returns everything that is wrong with the pairs.
    pub fn override_with(&mut self, pairs: &[(String, String)]) -> Result<Overrides, SpecError> {
        let mut faults = Faults::default();
        let mut settings = Vec::new();
        for (key, value) in pairs {
            let text = match toml::de::DeValue::parse(value) {
                Ok(_) => format!("{key} = {value}"),
                Err(_) => format!("{key} = {}", toml::Value::String(value.clone())),
            };
            let source: Source = Arc::new(NamedSource::new("--set", text.clone()));
            match DeTable::parse(&text) {
                Ok(document) => {
                    settings.extend(self.override_one(&source, document.get_ref(), &mut faults));
                }
                Err(error) => faults.push(syntax(&source, &error)),
            }
        }
        faults.finish()?;
        Ok(Overrides { settings })
    }

    fn override_one(
        &mut self,
        source: &Source,
        document: &DeTable<'_>,
        faults: &mut Faults,
    ) -> Vec<Setting> {
        let fixed = ["schema", "name", "reproduces"];
        match entries(source, document).first() {
            Some(entry) if fixed.contains(&entry.name) => {
                let message = format!("`{}` is the file's own and cannot be set", entry.name);
                faults.push(Fault::new(message, &entry.key_site, "not settable"));
                Vec::new()
            }
            Some(entry) if TABLES.contains(&entry.name) => {
                self.tables.read(source, entry, faults);
                Vec::new()
            }
            Some(_) | None => read::settings(source, document, &[], faults),
        }
    }
}
