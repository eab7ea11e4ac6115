//! From TOML to checked settings, every one with its place. Knows the table of settings, not
//! what they do together.

use std::ops::Bound;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{Fault, Faults, Site, Source};
use super::keys::{Key, Kind, Op, nearest, nearest_path, op_names};
use super::value::{Setting, Value, canonical_float};

/// A value as the parser gives it.
pub(crate) type Node<'d> = Spanned<DeValue<'d>>;

/// One entry of a table.
pub(crate) struct Entry<'t, 'd> {
    pub(crate) name: &'t str,
    pub(crate) key_site: Site,
    pub(crate) node: &'t Node<'d>,
    pub(crate) site: Site,
}

/// Returns the entries in the order of the file.
pub(crate) fn entries<'t, 'd>(source: &Source, table: &'t DeTable<'d>) -> Vec<Entry<'t, 'd>> {
    let entry = |(key, node): (&'t Spanned<DeString<'d>>, &'t Node<'d>)| Entry {
        name: key.get_ref().as_ref(),
        key_site: Site::new(source, key.span()),
        node,
        site: Site::new(source, node.span()),
    };
    let mut all: Vec<_> = table.iter().map(entry).collect();
    all.sort_by_key(|entry| entry.key_site.span().start);
    all
}

/// A known key with its value, not yet checked.
pub(crate) struct Leaf<'t, 'd> {
    pub(crate) key: Key,
    pub(crate) key_site: Site,
    pub(crate) node: &'t Node<'d>,
    pub(crate) site: Site,
}

/// Returns the settings of a table, nested or dotted; `skip` names the entries that are none.
pub(crate) fn leaves<'t, 'd>(
    source: &Source,
    table: &'t DeTable<'d>,
    skip: &[&str],
    faults: &mut Faults,
) -> Vec<Leaf<'t, 'd>> {
    let mut found = Vec::new();
    for entry in entries(source, table) {
        if !skip.contains(&entry.name) {
            descend(source, String::new(), entry, skip, &mut found, faults);
        }
    }
    found
}

fn descend<'t, 'd>(
    source: &Source,
    prefix: String,
    entry: Entry<'t, 'd>,
    also: &[&str],
    found: &mut Vec<Leaf<'t, 'd>>,
    faults: &mut Faults,
) {
    let Entry { name, key_site, node, site } = entry;
    if name.contains('.') {
        return faults.push(quoted(name, &key_site));
    }
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    if let Some(key) = Key::named(&path) {
        return found.push(Leaf { key, key_site, node, site });
    }
    match (Key::is_prefix(&path), node.get_ref()) {
        (true, DeValue::Table(table)) => {
            for entry in entries(source, table) {
                descend(source, path.clone(), entry, also, found, faults);
            }
        }
        (true, _) => {
            let fault =
                Fault::new(format!("`{path}` is a table of settings"), &site, "not a value");
            faults.push(fault.help(format!("write `{path}.<key> = ...`; {}", keys_below(&path))));
        }
        (false, _) => faults.push(unknown_setting(&path, &key_site, also)),
    }
}

pub(crate) fn quoted(name: &str, site: &Site) -> Fault {
    Fault::new(
        format!("`{name}` is quoted, which makes it one key with a dot in its name"),
        site,
        "quoted",
    )
    .help(format!("write {name} without quotes"))
}

/// Returns the names that may follow a path; all first parts for an empty one.
fn keys_below(path: &str) -> String {
    let below = |info: &'static super::keys::Info| match path {
        "" => Some(info.path),
        table => info.path.strip_prefix(table)?.strip_prefix('.'),
    };
    let mut names: Vec<_> =
        super::keys::keys().filter_map(below).filter_map(|rest| rest.split('.').next()).collect();
    names.dedup();
    format!("valid keys: {}", names.join(", "))
}

fn unknown_setting(path: &str, site: &Site, also: &[&str]) -> Fault {
    let fault = Fault::new(format!("unknown setting `{path}`"), site, "not a setting");
    if path == "seed" || path == "seeds" {
        return fault.help("seeds are not a setting: write `seeds = [0, 1, 2]` under [replicates]");
    }
    if let Some(known) = nearest(path, also.iter().copied()).or_else(|| nearest_path(path)) {
        return fault.help(format!("did you mean `{known}`?"));
    }
    let parts: Vec<_> = path.split('.').collect();
    if let ["augment", .., op, _] | ["augment", op] = parts.as_slice()
        && Op::named(op).is_none()
    {
        return fault.help(format!("there is no such operator; valid: {}", op_names().join(", ")));
    }
    match path.rsplit_once('.') {
        Some((parent, _)) if Key::is_prefix(parent) => fault.help(keys_below(parent)),
        _ => fault.help(keys_below("")),
    }
}

/// Returns the settings of a table, checked.
pub(crate) fn settings(
    source: &Source,
    table: &DeTable<'_>,
    skip: &[&str],
    faults: &mut Faults,
) -> Vec<Setting> {
    leaves(source, table, skip, faults)
        .into_iter()
        .filter_map(|leaf| faults.keep(setting(leaf)))
        .collect()
}

fn setting(leaf: Leaf<'_, '_>) -> Result<Setting, Fault> {
    let value = value(leaf.key, leaf.node, &leaf.site)?;
    Ok(Setting { key: leaf.key, value, key_site: leaf.key_site, value_site: leaf.site })
}

/// Returns the value in canonical form, if the key takes it.
pub(crate) fn value(key: Key, node: &Node<'_>, site: &Site) -> Result<Value, Fault> {
    let wrong = || wrong_type(key.path(), &key.info().kind.to_string(), node, site);
    match (key.info().kind, node.get_ref()) {
        (kind @ (Kind::Int(..) | Kind::Float(..) | Kind::IntOrSame), node)
            if number(node).is_some() =>
        {
            checked_number(key.path(), kind, number(node).unwrap_or(f64::NAN), site)
        }
        (Kind::IntOrSame, DeValue::String(text)) if text == "same" => Ok(Value::Word("same")),
        (Kind::Word { valid, planned }, DeValue::String(text)) => {
            word(key.path(), valid, planned, text, site)
        }
        (Kind::Text, DeValue::String(text)) if !text.is_empty() => {
            Ok(Value::Text(text.clone().into_owned()))
        }
        (Kind::Sizes, DeValue::Array(items)) => {
            let size = |item: &Node<'_>| size(key, item, item_site(site, item));
            Ok(Value::Sizes(items.iter().map(size).collect::<Result<_, _>>()?))
        }
        (Kind::Sizes, DeValue::Integer(_) | DeValue::Float(_)) => {
            Ok(Value::Sizes(vec![size(key, node, site.clone())?]))
        }
        (Kind::Ops, DeValue::Array(items)) => {
            let mut ops: Vec<Op> = Vec::with_capacity(items.len());
            for item in items {
                let op = op(key, item, &item_site(site, item))?;
                if ops.contains(&op) {
                    let message = format!("`{}` names {} twice", key.path(), op.name());
                    return Err(Fault::new(message, &item_site(site, item), "again"));
                }
                ops.push(op);
            }
            ops.sort_unstable();
            Ok(Value::Ops(ops))
        }
        (
            Kind::Int(..)
            | Kind::Float(..)
            | Kind::IntOrSame
            | Kind::Word { .. }
            | Kind::Text
            | Kind::Sizes
            | Kind::Ops,
            _,
        ) => Err(wrong()),
    }
}

/// Returns the place of an item of an array.
pub(crate) fn item_site(of: &Site, item: &Node<'_>) -> Site {
    of.within(item.span())
}

fn size(key: Key, node: &Node<'_>, site: Site) -> Result<u32, Fault> {
    let wrong = || wrong_type(key.path(), "sizes", node, &site);
    let number = number(node.get_ref()).ok_or_else(wrong)?;
    match checked_number(key.path(), Kind::Int(1, 65536), number, &site)? {
        Value::Int(size) => u32::try_from(size).map_err(|_| wrong()),
        Value::Float(_) | Value::Word(_) | Value::Text(_) | Value::Sizes(_) | Value::Ops(_) => {
            Err(wrong())
        }
    }
}

fn op(key: Key, node: &Node<'_>, site: &Site) -> Result<Op, Fault> {
    let DeValue::String(name) = node.get_ref() else {
        return Err(wrong_type(key.path(), &Kind::Ops.to_string(), node, site));
    };
    Op::named(name).ok_or_else(|| {
        let fault = Fault::new(
            format!("`{}` names \"{name}\", which is no operator", key.path()),
            site,
            "no such operator",
        );
        fault.help(valid_words(name, &op_names()))
    })
}

fn word(
    path: &str,
    valid: &'static [&'static str],
    planned: &'static [&'static str],
    text: &str,
    site: &Site,
) -> Result<Value, Fault> {
    if let Some(word) = valid.iter().find(|word| **word == text) {
        return Ok(Value::Word(word));
    }
    if planned.contains(&text) {
        let fault =
            Fault::new(format!("`{path} = \"{text}\"` is not built yet"), site, "not built yet");
        return Err(fault.help(format!("valid: {}", valid.join(", "))));
    }
    let fault = Fault::new(format!("`{path}` does not take \"{text}\""), site, "not valid here");
    Err(fault.help(valid_words(text, valid)))
}

fn valid_words(text: &str, valid: &[&str]) -> String {
    let list = valid.join(", ");
    match nearest(text, valid.iter().copied()) {
        Some(known) => format!("did you mean \"{known}\"? valid: {list}"),
        None => format!("valid: {list}"),
    }
}

/// Returns the number in the form that the kind has, if it lies in its range.
pub(crate) fn checked_number(
    path: &str,
    kind: Kind,
    number: f64,
    site: &Site,
) -> Result<Value, Fault> {
    let refused =
        || Fault::new(format!("`{path}` takes {kind}, not {number}"), site, "out of range");
    match kind {
        Kind::Float(low, high) => {
            let above = match low {
                Bound::Included(low) => number >= low,
                Bound::Excluded(low) => number > low,
                Bound::Unbounded => true,
            };
            let below = match high {
                Bound::Included(high) => number <= high,
                Bound::Excluded(high) => number < high,
                Bound::Unbounded => true,
            };
            if !(above && below && number.is_finite()) {
                return Err(refused());
            }
            Ok(Value::Float(canonical_float(number)))
        }
        Kind::Int(low, high) => whole(number)
            .filter(|value| (low..=high).contains(value))
            .map(Value::Int)
            .ok_or_else(refused),
        Kind::IntOrSame => whole(number)
            .filter(|value| (1..=u64::from(u32::MAX)).contains(value))
            .map(Value::Int)
            .ok_or_else(refused),
        Kind::Word { .. } | Kind::Text | Kind::Sizes | Kind::Ops => Err(refused()),
    }
}

/// Above it not every whole number is an f64, so none of them is taken for one.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, not negative and below 2^53"
)]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..EXACT).contains(&number)).then_some(number as u64)
}

/// Returns a TOML integer or float as a number.
pub(crate) fn number(node: &DeValue<'_>) -> Option<f64> {
    match node {
        #[expect(clippy::cast_precision_loss, reason = "refused by `whole` where it matters")]
        DeValue::Integer(int) => {
            i64::from_str_radix(int.as_str(), int.radix()).ok().map(|value| value as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    }
}

/// Returns the fault of a value of another type than the key takes.
pub(crate) fn wrong_type(path: &str, takes: &str, node: &Node<'_>, site: &Site) -> Fault {
    let found = match node.get_ref() {
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(int) => format!("the integer {int}"),
        DeValue::Float(float) => format!("the number {float}"),
        DeValue::Boolean(truth) => format!("the boolean {truth}"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    };
    Fault::new(format!("`{path}` takes {takes}, not {found}"), site, "wrong type")
}

/// Returns the fault of a key that a table of the file does not have.
pub(crate) fn unknown_key(table: &str, name: &str, valid: &[&str], site: &Site) -> Fault {
    let place = if table.is_empty() { "in a sweep file".into() } else { format!("in [{table}]") };
    let fault = Fault::new(format!("unknown key `{name}` {place}"), site, "unknown");
    let list = valid.join(", ");
    fault.help(match nearest(name, valid.iter().copied()) {
        Some(known) => format!("did you mean `{known}`? valid: {list}"),
        None => format!("valid: {list}"),
    })
}
