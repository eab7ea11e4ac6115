//! The values of one axis: one value, a list, or a rule that computes them. Knows nothing of
//! other axes.

use toml::de::{DeTable, DeValue};

use super::error::{Fault, Site, Source};
use super::keys::{Key, Kind};
use super::read::{Leaf, Node, checked_number, entries, item_site, number, value, wrong_type};
use super::value::{Setting, rounded};

/// A setting with the values that it takes in turn; at least one.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What varies.
    pub key: Key,
    /// Where the key stands.
    pub key_site: Site,
    /// Its values, in the order of the file.
    pub values: Vec<Setting>,
}

/// More values than this are a slip of the pen.
const MOST_VALUES: f64 = 1_000_000.0;

/// Returns the axis that a leaf of a grid describes.
pub(crate) fn axis(source: &Source, leaf: &Leaf<'_, '_>) -> Result<Axis, Fault> {
    let (key, site) = (leaf.key, &leaf.site);
    let values = match leaf.node.get_ref() {
        DeValue::Array(items) => {
            if key.info().kind == Kind::Ops && items.iter().any(|item| item.get_ref().is_str()) {
                return Err(flat_list(key, site));
            }
            let listed = |item: &Node<'_>| {
                let site = item_site(site, item);
                Ok((value(key, item, &site)?, site))
            };
            items.iter().map(listed).collect::<Result<Vec<_>, Fault>>()?
        }
        DeValue::Table(rule) => computed(source, key, rule, site)?
            .into_iter()
            .map(|number| {
                Ok((checked_number(key.path(), key.info().kind, number, site)?, site.clone()))
            })
            .collect::<Result<_, Fault>>()?,
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => vec![(value(key, leaf.node, site)?, site.clone())],
    };
    if values.is_empty() {
        let fault = Fault::new(format!("the axis `{}` has no values", key.path()), site, "empty");
        return Err(fault.help(
            "an axis without values makes a sweep without trials: name one or leave it out",
        ));
    }
    let settings: Vec<Setting> = values
        .into_iter()
        .map(|(value, value_site)| Setting {
            key,
            value,
            key_site: leaf.key_site.clone(),
            value_site,
        })
        .collect();
    Ok(Axis { key, key_site: leaf.key_site.clone(), values: settings })
}

fn flat_list(key: Key, site: &Site) -> Fault {
    let path = key.path();
    Fault::new(format!("an axis of `{path}` is a list of lists"), site, "a flat list").help(
        format!(
            "one list for each cell: `{path} = [[], [\"blur\"], [\"color_jitter\", \"grayscale\"]]`"
        ),
    )
}

/// Refuses an axis that takes a value twice. In a grid that is a slip of the pen; axes that advance
/// together repeat values by their nature.
pub(crate) fn refuse_repeats(axis: &Axis) -> Result<(), Fault> {
    let mut seen = std::collections::BTreeMap::new();
    for setting in &axis.values {
        if let Some(first) = seen.insert(setting.value.to_string(), setting) {
            let message = format!("the axis `{}` has {} twice", axis.key.path(), setting.value);
            return Err(Fault::new(message, &setting.value_site, "again")
                .and(&first.value_site, "first here"));
        }
    }
    Ok(())
}

/// Returns the numbers of `{ range, step }`, `{ linspace }` or `{ logspace }`.
fn computed(source: &Source, key: Key, rule: &DeTable<'_>, site: &Site) -> Result<Vec<f64>, Fault> {
    let path = key.path();
    let valid = "{ range = [from, to], step = \"*2\" }, { linspace = [from, to, count] } or { logspace = [from, to, count] }";
    let refuse = |site: &Site, what: &str| {
        Fault::new(format!("`{path}`: {what}"), site, "this rule")
            .help(format!("an axis is a value, a list, {valid}"))
    };
    match key.info().kind {
        Kind::Int(..) | Kind::Float(..) | Kind::IntOrSame => {}
        Kind::Word { .. } | Kind::Text | Kind::Sizes | Kind::Ops => {
            return Err(refuse(site, "only numbers can be computed"));
        }
    }
    let found = entries(source, rule);
    let names: Vec<_> = found.iter().map(|entry| entry.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let numbers = |name: &str, count: usize| -> Result<Vec<f64>, Fault> {
        let entry = found.iter().find(|entry| entry.name == name);
        let node = entry.ok_or_else(|| refuse(site, "incomplete"))?.node;
        numbers(node).filter(|list| list.len() == count).ok_or_else(|| {
            refuse(&item_site(site, node), &format!("{name} takes {count} finite numbers"))
        })
    };
    let values = match sorted.as_slice() {
        ["range", "step"] => {
            let bounds = numbers("range", 2)?;
            let step = found.iter().find(|entry| entry.name == "step").map(|entry| entry.node);
            let step = step.ok_or_else(|| refuse(site, "incomplete"))?;
            range(bounds[0], bounds[1], step).ok_or_else(|| {
                refuse(&item_site(site, step), "this step never gets from one end to the other")
            })?
        }
        ["range"] => {
            return Err(refuse(site, "a range needs a step: a number, or \"*2\" to multiply"));
        }
        ["linspace"] => {
            let [from, to, count] = numbers("linspace", 3)?[..] else { return Ok(Vec::new()) };
            spaced(count, |share| from + (to - from) * share)
                .ok_or_else(|| refuse(site, "the count is a whole number from 2"))?
        }
        ["logspace"] => {
            let [from, to, count] = numbers("logspace", 3)?[..] else { return Ok(Vec::new()) };
            if from <= 0.0 || to <= 0.0 {
                return Err(refuse(site, "logspace needs ends above 0"));
            }
            spaced(count, |share| (from.ln() + (to.ln() - from.ln()) * share).exp())
                .ok_or_else(|| refuse(site, "the count is a whole number from 2"))?
        }
        _ => return Err(refuse(site, &format!("no rule is called {{ {} }}", names.join(", ")))),
    };
    Ok(values.into_iter().map(rounded).collect())
}

fn numbers(node: &Node<'_>) -> Option<Vec<f64>> {
    let list: Option<Vec<f64>> =
        node.get_ref().as_array()?.iter().map(|item| number(item.get_ref())).collect();
    list.filter(|list| list.iter().all(|number| number.is_finite()))
}

/// Slack for a last value that float sums miss by a rounding error.
const SLACK: f64 = 1e-9;

fn range(from: f64, to: f64, step: &Node<'_>) -> Option<Vec<f64>> {
    let (steps, at): (f64, Box<dyn Fn(f64) -> f64>) = match step.get_ref() {
        DeValue::String(text) => {
            let factor: f64 = text.strip_prefix('*')?.trim().parse().ok()?;
            (((to / from).ln() / factor.ln()), Box::new(move |i| from * factor.powf(i)))
        }
        node => {
            let step = number(node)?;
            ((to - from) / step, Box::new(move |i| from + i * step))
        }
    };
    if !(0.0..MOST_VALUES).contains(&steps) {
        return None;
    }
    Some(indices((steps + SLACK).floor()).map(at).collect())
}

fn spaced(count: f64, at: impl Fn(f64) -> f64) -> Option<Vec<f64>> {
    if count.fract() != 0.0 || !(2.0..=MOST_VALUES).contains(&count) {
        return None;
    }
    Some(indices(count - 1.0).map(|i| at(i / (count - 1.0))).collect())
}

/// Returns 0, 1, ... up to `last`, which is whole and at most a million.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
fn indices(last: f64) -> impl Iterator<Item = f64> {
    (0..=last as u32).map(f64::from)
}

/// Returns the values that a match allows: one value, or a list of them.
pub(crate) fn allowed(leaf: &Leaf<'_, '_>) -> Result<Vec<Setting>, Fault> {
    let (key, site) = (leaf.key, &leaf.site);
    let takes_a_list = matches!(key.info().kind, Kind::Ops | Kind::Sizes);
    let nodes: Vec<&Node<'_>> = match leaf.node.get_ref() {
        DeValue::Array(items)
            if !takes_a_list || items.iter().any(|item| item.get_ref().is_array()) =>
        {
            items.iter().collect()
        }
        DeValue::Table(_) => {
            return Err(wrong_type(key.path(), &key.info().kind.to_string(), leaf.node, site));
        }
        DeValue::Array(_)
        | DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => vec![leaf.node],
    };
    let setting = |node: &Node<'_>| {
        let value_site = item_site(site, node);
        let value = value(key, node, &value_site)?;
        Ok(Setting { key, value, key_site: leaf.key_site.clone(), value_site })
    };
    nodes.into_iter().map(setting).collect()
}
