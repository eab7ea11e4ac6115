//! The tables of a sweep file that are not rules: identity for people, replicates, evaluation and
//! how to run. A later text (`--set`) changes what an earlier one said.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use toml::de::{DeArray, DeValue};

use super::early::Draft;
use super::error::{Fault, Faults, Site, Source};
use super::eval::{KnnSpec, LinearSpec};
use super::keys::{Key, Plain, nearest};
use super::read::{Entry, Node, entries, number, settings, unknown_key, wrong_type};
use super::sweep::{KeepBest, KeepExhibit, Kernels, SpreadKind, SweepMeta};
use super::value::{Setting, canonical_float};

/// Names of the tables and keys that [`Tables::read`] reads.
pub(crate) const TABLES: [&str; 11] = [
    "schema",
    "name",
    "description",
    "reproduces",
    "replicates",
    "eval",
    "resources",
    "retry",
    "checkpoint",
    "report",
    "early_stop",
];

/// Keys of the tables that say how a sweep runs; a test holds the reference to them.
pub const OTHER_KEYS: &[(&str, &[&str])] = &[
    ("resources", RESOURCES),
    ("checkpoint", CHECKPOINT),
    ("report", REPORT),
    ("early_stop", super::early::KEYS),
];
const RESOURCES: &[&str] = &["slots_per_device", "time_limit", "stall_limit", "deterministic"];
const REPORT: &[&str] = &["metric", "spread", "exhibits"];
const CHECKPOINT: &[&str] = &["every", "keep", "keep_every"];

/// The only version of the file format.
const SCHEMA: u64 = 1;

/// What the tables say, with defaults where they say nothing.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Name and how to run; the place of `eval.data` is not resolved yet.
    pub meta: SweepMeta,
    /// Seeds, in the order of the file.
    pub seeds: Vec<u64>,
    /// `eval.linear`.
    pub linear: LinearSpec,
    /// `eval.knn`.
    pub knn: KnnSpec,
    /// `eval.data`, as settings of `data`.
    pub eval_data: Vec<Setting>,
    /// `early_stop`, as far as it was said.
    pub(crate) early_stop: Draft,
    /// Whether `schema` was said.
    pub(crate) schema: Option<u64>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            meta: SweepMeta::named(""),
            seeds: vec![0],
            linear: LinearSpec {
                epochs: 80,
                batch_size: 256,
                learning_rates: vec![0.4, 0.3, 0.2, 0.1, 0.05],
                holdout: 0.1,
            },
            knn: KnnSpec { k: 200, temperature: 0.1 },
            eval_data: Vec::new(),
            early_stop: Draft::default(),
            schema: None,
        }
    }
}

impl Tables {
    /// Reads one top-level entry that [`TABLES`] names.
    pub(crate) fn read(&mut self, source: &Source, entry: &Entry<'_, '_>, faults: &mut Faults) {
        let meta = &mut self.meta;
        match entry.name {
            "schema" => self.schema = faults.keep(whole("schema", entry, SCHEMA, SCHEMA)),
            "name" => set(&mut meta.name, faults.keep(sweep_name(entry))),
            "description" => set(&mut meta.description, faults.keep(text("description", entry))),
            "reproduces" => {
                set(&mut meta.reproduces, faults.keep(text("reproduces", entry)).map(Some));
            }
            "replicates" => self.replicates(source, entry, faults),
            "eval" => self.eval(source, entry, faults),
            "resources" => each(source, "resources", entry, RESOURCES, faults, |entry, faults| {
                let resources = &mut meta.resources;
                match entry.name {
                    "time_limit" => {
                        let limit = faults.keep(duration("resources.time_limit", entry));
                        set(&mut resources.time_limit, limit.map(Some));
                    }
                    "stall_limit" => {
                        let limit = faults.keep(duration_or_off("resources.stall_limit", entry));
                        set(&mut resources.stall_limit, limit);
                    }
                    "deterministic" => set(&mut resources.kernels, faults.keep(kernels(entry))),
                    _ => {
                        let slots = small("resources.slots_per_device", entry, 1, 64);
                        set(&mut resources.slots_per_device, faults.keep(slots));
                    }
                }
            }),
            "retry" => each(source, "retry", entry, &["max"], faults, |entry, faults| {
                set(&mut meta.max_retries, faults.keep(small("retry.max", entry, 0, 100)));
            }),
            "checkpoint" => checkpoint(meta, source, entry, faults),
            "early_stop" => self.early_stop.read(source, entry, faults),
            _ => each(source, "report", entry, REPORT, faults, |entry, faults| match entry.name {
                "metric" => set(&mut meta.report_metric, faults.keep(metric(entry))),
                "exhibits" => set(&mut meta.retention.exhibit, faults.keep(exhibits(entry))),
                _ => set(&mut meta.report_spread, faults.keep(spread(entry))),
            }),
        }
    }

    /// Checks that the file said what it must.
    pub(crate) fn check_complete(&self, top: &Site, faults: &mut Faults) {
        if self.schema.is_none() && !faults.is_any() {
            let fault = Fault::new("the file does not say `schema`", top, "missing");
            faults.push(fault.help("begin with `schema = 1`"));
        }
        if self.meta.name.is_empty() && !faults.is_any() {
            let fault = Fault::new("the sweep has no `name`", top, "missing");
            faults.push(fault.help("add `name = \"my-sweep\"` at the top"));
        }
    }

    fn replicates(&mut self, source: &Source, entry: &Entry<'_, '_>, faults: &mut Faults) {
        each(source, "replicates", entry, &["seeds"], faults, |entry, faults| {
            set(&mut self.seeds, faults.keep(seeds(entry)));
        });
    }

    fn eval(&mut self, source: &Source, entry: &Entry<'_, '_>, faults: &mut Faults) {
        each(source, "eval", entry, &["linear", "knn", "data"], faults, |part, faults| match part
            .name
        {
            "linear" => self.linear(source, part, faults),
            "knn" => {
                each(source, "eval.knn", part, &["k", "temperature"], faults, |entry, faults| {
                    if entry.name == "k" {
                        set(&mut self.knn.k, faults.keep(small("eval.knn.k", entry, 1, 1_000_000)));
                    } else {
                        let value = positive("eval.knn.temperature", entry.node, &entry.site);
                        set(&mut self.knn.temperature, faults.keep(value));
                    }
                });
            }
            _ => self.eval_data = eval_data(source, part, faults),
        });
    }

    fn linear(&mut self, source: &Source, part: &Entry<'_, '_>, faults: &mut Faults) {
        let valid = ["epochs", "batch_size", "learning_rates", "holdout"];
        let linear = &mut self.linear;
        each(source, "eval.linear", part, &valid, faults, |entry, faults| match entry.name {
            "epochs" => set(
                &mut linear.epochs,
                faults.keep(small("eval.linear.epochs", entry, 1, 1_000_000)),
            ),
            "batch_size" => {
                set(
                    &mut linear.batch_size,
                    faults.keep(small("eval.linear.batch_size", entry, 1, 1 << 24)),
                );
            }
            "learning_rates" => set(&mut linear.learning_rates, faults.keep(learning_rates(entry))),
            _ => {
                let value =
                    positive("eval.linear.holdout", entry.node, &entry.site).and_then(|share| {
                        if share < 1.0 {
                            return Ok(share);
                        }
                        let message =
                            format!("`eval.linear.holdout` takes a number in (0, 1), not {share}");
                        Err(Fault::new(message, &entry.site, "out of range"))
                    });
                set(&mut linear.holdout, faults.keep(value));
            }
        });
    }
}

fn checkpoint(meta: &mut SweepMeta, source: &Source, entry: &Entry<'_, '_>, faults: &mut Faults) {
    each(source, "checkpoint", entry, CHECKPOINT, faults, |entry, faults| match entry.name {
        "keep" => set(&mut meta.retention.best, faults.keep(keep(entry))),
        "keep_every" => {
            let epochs = faults.keep(small("checkpoint.keep_every", entry, 1, 1_000_000));
            set(&mut meta.retention.every_epochs, epochs.map(NonZeroU32::new));
        }
        _ => set(&mut meta.checkpoint_every, faults.keep(duration("checkpoint.every", entry))),
    });
}

/// Reads which encoders stay; the last one always does, since it is what is evaluated.
fn keep(entry: &Entry<'_, '_>) -> Result<KeepBest, Fault> {
    const WORDS: [&str; 2] = ["last", "best"];
    let mut found = Vec::new();
    for item in list("checkpoint.keep", entry)? {
        let site = entry.site.within(item.span());
        let DeValue::String(word) = item.get_ref() else {
            return Err(wrong_type("checkpoint.keep", "names", item, &site));
        };
        if !WORDS.contains(&word.as_ref()) {
            let message = format!("`checkpoint.keep` names {word:?}, which is no encoder to keep");
            let fault = Fault::new(message, &site, "not valid here");
            return Err(fault.help(match nearest(word, WORDS) {
                Some(known) => format!("did you mean \"{known}\"? valid: last, best"),
                None => "valid: last, best; `checkpoint.keep_every` keeps every n-th epoch".into(),
            }));
        }
        found.push(word.as_ref());
    }
    if !found.contains(&"last") {
        let fault = Fault::new("`checkpoint.keep` leaves out \"last\"", &entry.site, "no \"last\"");
        return Err(fault.help("the encoder after the last update is what is evaluated: write `keep = [\"last\", \"best\"]`"));
    }
    Ok(if found.contains(&"best") { KeepBest::Yes } else { KeepBest::No })
}

pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Calls `read` for each entry of a table; entries that `valid` does not name are faults.
pub(super) fn each(
    source: &Source,
    path: &str,
    entry: &Entry<'_, '_>,
    valid: &[&str],
    faults: &mut Faults,
    mut read: impl FnMut(&Entry<'_, '_>, &mut Faults),
) {
    let DeValue::Table(table) = entry.node.get_ref() else {
        return faults.push(wrong_type(path, "a table", entry.node, &entry.site));
    };
    for entry in entries(source, table) {
        if valid.contains(&entry.name) {
            read(&entry, faults);
        } else {
            faults.push(unknown_key(path, entry.name, valid, &entry.key_site));
        }
    }
}

pub(super) fn text(path: &str, entry: &Entry<'_, '_>) -> Result<String, Fault> {
    match entry.node.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => Err(wrong_type(path, "a text", entry.node, &entry.site)),
    }
}

fn metric(entry: &Entry<'_, '_>) -> Result<String, Fault> {
    let metric = text("report.metric", entry)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !metric.is_empty() && metric.bytes().all(plain) {
        return Ok(metric);
    }
    let fault =
        Fault::new(format!("{metric:?} is not the name of a metric"), &entry.site, "not a name");
    Err(fault.help("names are like linear_top1 or knn_top1"))
}

fn spread(entry: &Entry<'_, '_>) -> Result<SpreadKind, Fault> {
    let said = text("report.spread", entry)?;
    let kinds = [("sd", SpreadKind::Sd), ("t95", SpreadKind::T95), ("bca95", SpreadKind::Bca95)];
    if let Some((_, kind)) = kinds.into_iter().find(|(name, _)| *name == said) {
        return Ok(kind);
    }
    let message = format!("`report.spread` takes \"sd\", \"t95\" or \"bca95\", not {said:?}");
    Err(Fault::new(message, &entry.site, "not a kind of spread"))
}

fn sweep_name(entry: &Entry<'_, '_>) -> Result<String, Fault> {
    let name = text("name", entry)?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    // Where a sweep can be named, a trial can: by its number, or the beginning of its key.
    let is_key = name.len() >= 4 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let begins_well = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if begins_well && name.bytes().all(allowed) && !is_key {
        return Ok(name);
    }
    let (why, help) = match is_key {
        true => ("it could be a trial's key", "add a letter behind `f`, or a `-`"),
        false => {
            ("folders and commands carry the name", "use a-z, 0-9, `-` and `_`, a letter first")
        }
    };
    let message = format!("{name:?} cannot name a sweep: {why}");
    Err(Fault::new(message, &entry.site, "not a name").help(help))
}

fn whole(path: &str, entry: &Entry<'_, '_>, low: u64, high: u64) -> Result<u64, Fault> {
    use super::keys::Kind;
    use super::value::Value;
    let kind = Kind::Int(low, high);
    let takes = if low == high { format!("{low}") } else { kind.to_string() };
    let number = number(entry.node.get_ref())
        .ok_or_else(|| wrong_type(path, &takes, entry.node, &entry.site))?;
    match super::read::checked_number(path, kind, number, &entry.site)? {
        Value::Int(value) => Ok(value),
        Value::Float(_) | Value::Word(_) | Value::Text(_) | Value::Sizes(_) | Value::Ops(_) => {
            Err(wrong_type(path, &takes, entry.node, &entry.site))
        }
    }
}

pub(super) fn small(path: &str, entry: &Entry<'_, '_>, low: u32, high: u32) -> Result<u32, Fault> {
    let value = whole(path, entry, low.into(), high.into())?;
    u32::try_from(value).map_err(|_| wrong_type(path, "a smaller number", entry.node, &entry.site))
}

fn positive(path: &str, node: &Node<'_>, site: &Site) -> Result<f64, Fault> {
    match number(node.get_ref()) {
        Some(value) if value > 0.0 && value.is_finite() => Ok(canonical_float(value)),
        Some(_) | None => Err(wrong_type(path, "a number above 0", node, site)),
    }
}

fn duration(path: &str, entry: &Entry<'_, '_>) -> Result<Duration, Fault> {
    let takes = "a time such as \"10m\" or \"1h 30m\"";
    let DeValue::String(text) = entry.node.get_ref() else {
        return Err(wrong_type(path, takes, entry.node, &entry.site));
    };
    let refuse = |why: String| {
        Fault::new(format!("`{path}` takes {takes}: {why}"), &entry.site, "not a time")
    };
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(refuse("it must be above 0".into())),
        Ok(duration) => Ok(duration),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// Returns a time, or `None` for `"off"`.
fn duration_or_off(path: &str, entry: &Entry<'_, '_>) -> Result<Option<Duration>, Fault> {
    match entry.node.get_ref() {
        DeValue::String(text) if text == "off" => Ok(None),
        _ => duration(path, entry).map(Some),
    }
}

fn kernels(entry: &Entry<'_, '_>) -> Result<Kernels, Fault> {
    match entry.node.get_ref() {
        DeValue::Boolean(true) => Ok(Kernels::Deterministic),
        DeValue::Boolean(false) => Ok(Kernels::Fastest),
        _ => Err(wrong_type("resources.deterministic", "true or false", entry.node, &entry.site)),
    }
}

fn exhibits(entry: &Entry<'_, '_>) -> Result<KeepExhibit, Fault> {
    match entry.node.get_ref() {
        DeValue::Boolean(true) => Ok(KeepExhibit::Yes),
        DeValue::Boolean(false) => Ok(KeepExhibit::No),
        _ => Err(wrong_type("report.exhibits", "true or false", entry.node, &entry.site)),
    }
}

fn list<'t, 'd>(path: &str, entry: &Entry<'t, 'd>) -> Result<&'t DeArray<'d>, Fault> {
    match entry.node.get_ref() {
        DeValue::Array(items) if !items.is_empty() => Ok(items),
        DeValue::Array(_) => Err(Fault::new(format!("`{path}` is empty"), &entry.site, "empty")),
        _ => Err(wrong_type(path, "a list", entry.node, &entry.site)),
    }
}

fn learning_rates(entry: &Entry<'_, '_>) -> Result<Vec<f64>, Fault> {
    let path = "eval.linear.learning_rates";
    let rate = |item: &Node<'_>| positive(path, item, &entry.site.within(item.span()));
    list(path, entry)?.iter().map(rate).collect()
}

fn seeds(entry: &Entry<'_, '_>) -> Result<Vec<u64>, Fault> {
    let path = "replicates.seeds";
    let mut seeds = Vec::new();
    let mut known = HashSet::new();
    for item in list(path, entry)? {
        let site = entry.site.within(item.span());
        let item = Entry { name: entry.name, key_site: entry.key_site.clone(), node: item, site };
        let seed = whole(path, &item, 0, (1 << 53) - 1)?;
        if !known.insert(seed) {
            let fault = Fault::new(format!("the seed {seed} is named twice"), &item.site, "again");
            return Err(fault.help("trials with equal seeds are one trial; each seed counts once"));
        }
        seeds.push(seed);
    }
    Ok(seeds)
}

/// Reads `eval.data`: the settings of `data` that say which images there are.
fn eval_data(source: &Source, part: &Entry<'_, '_>, faults: &mut Faults) -> Vec<Setting> {
    let parent = toml::de::DeTable::new();
    let DeValue::Table(table) = part.node.get_ref() else {
        faults.push(wrong_type("eval.data", "a table", part.node, &part.site));
        return Vec::new();
    };
    // The settings' table knows the keys below `data`, so that one is put around the entry.
    let mut parent: toml::de::DeTable<'_> = parent;
    parent.insert(
        toml::Spanned::new(part.key_site.span(), "data".into()),
        toml::Spanned::new(part.site.span(), DeValue::Table(table.clone())),
    );
    let settings = settings(source, &parent, &[], faults);
    let mut kept = Vec::new();
    for setting in settings {
        match setting.key {
            Key::Plain(
                Plain::DataName
                | Plain::DataPath
                | Plain::DataDigest
                | Plain::ShapesTrain
                | Plain::ShapesTest
                | Plain::ShapesSide
                | Plain::ShapesSeed,
            ) => kept.push(setting),
            _ => {
                let message = format!("`eval.{}` cannot be set", setting.key.path());
                let fault = Fault::new(message, &setting.key_site, "not for evaluation");
                faults.push(fault.help("valid: name, path, digest, shapes"));
            }
        }
    }
    kept
}
