//! What a sweep file asks for: `[base]`, grids, zips, whens, excludes, includes and arms, each
//! checked by itself. What they make together is the plan's matter.

use toml::de::{DeTable, DeValue};

use super::axis::{Axis, allowed, axis, refuse_repeats};
use super::error::{Fault, Faults, Site, Source};
use super::read::{Entry, Node, entries, leaves, settings, unknown_key, wrong_type};
use super::value::Setting;

/// Axes that are crossed with each other.
#[derive(Clone, Debug)]
pub struct Grid {
    /// In the order of the file; no key twice, and no value twice in one axis.
    pub axes: Vec<Axis>,
}

/// Axes that advance together.
#[derive(Clone, Debug)]
pub struct Zip {
    /// In the order of the file; all equally long.
    pub axes: Vec<Axis>,
}

/// One condition of a match: the key has one of these values.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The values, with the key in each; at least one.
    pub allowed: Vec<Setting>,
}

/// Conditions that must all hold; at least one.
#[derive(Clone, Debug)]
pub struct Match {
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// Where the match stands.
    pub site: Site,
}

/// Axes for the cells that match.
#[derive(Clone, Debug)]
pub struct When {
    /// Which cells.
    pub matches: Match,
    /// Their axes.
    pub grid: Grid,
}

/// A cell of its own: `[base]` with these settings.
#[derive(Clone, Debug)]
pub struct Include {
    /// The settings.
    pub settings: Vec<Setting>,
}

/// A named change to every cell.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Name, unique in the sweep.
    pub name: String,
    /// Row of the published table that it reproduces.
    pub published: Option<String>,
    /// The change.
    pub settings: Vec<Setting>,
}

/// All rules of a file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `[base]`.
    pub base: Vec<Setting>,
    /// `[grid]` or `[[grid]]`.
    pub grids: Vec<Grid>,
    /// `[[zip]]`.
    pub zips: Vec<Zip>,
    /// `[[when]]`.
    pub whens: Vec<When>,
    /// `[[exclude]]`.
    pub excludes: Vec<Match>,
    /// `[[include]]`.
    pub includes: Vec<Include>,
    /// `[[arm]]`.
    pub arms: Vec<Arm>,
}

/// Names of the tables that [`Rules::read`] reads.
pub(crate) const RULES: [&str; 7] = ["base", "grid", "zip", "when", "exclude", "include", "arm"];

/// The arm without a change, which a sweep with arms has of itself.
pub const BASELINE: &str = "baseline";

impl Rules {
    /// Reads one top-level entry that [`RULES`] names.
    pub(crate) fn read(&mut self, source: &Source, entry: &Entry<'_, '_>, faults: &mut Faults) {
        if entry.name == "base" {
            match entry.node.get_ref() {
                DeValue::Table(table) => self.base = settings(source, table, &[], faults),
                _ => faults.push(wrong_type("base", "a table", entry.node, &entry.site)),
            }
            return;
        }
        for (table, site) in tables(entry, faults) {
            match entry.name {
                "grid" => self.grids.extend(grid(source, table, &site, faults)),
                "zip" => self.zips.extend(zip(source, table, &site, faults)),
                "when" => self.whens.extend(when(source, table, &site, faults)),
                "exclude" => self.excludes.extend(exclude(source, table, &site, faults)),
                "include" => self.includes.extend(include(source, table, &site, faults)),
                _ => {
                    let arm = arm(source, table, &site, &self.arms, faults);
                    self.arms.extend(arm);
                }
            }
        }
    }

    /// Checks what no rule can know alone: that no zip varies what a grid or another zip varies.
    pub(crate) fn check_together(&self, faults: &mut Faults) {
        let grids = self.grids.iter().flat_map(|grid| &grid.axes);
        let mut seen: Vec<&Axis> = grids.collect();
        for zip in &self.zips {
            for axis in &zip.axes {
                if let Some(first) = seen.iter().find(|other| other.key == axis.key) {
                    let message = format!("`{}` is varied by two rules at once", axis.key.path());
                    let fault = Fault::new(message, &axis.key_site, "here")
                        .and(&first.key_site, "and here")
                        .help("name it in one of them");
                    faults.push(fault);
                }
            }
            seen.extend(&zip.axes);
        }
    }
}

/// Returns the tables of `[name]` or `[[name]]`.
fn tables<'t, 'd>(entry: &Entry<'t, 'd>, faults: &mut Faults) -> Vec<(&'t DeTable<'d>, Site)> {
    let mut found = Vec::new();
    let mut take = |node: &'t Node<'d>, site: Site, faults: &mut Faults| match node.get_ref() {
        DeValue::Table(table) => found.push((table, site)),
        _ => faults.push(wrong_type(entry.name, "tables", node, &site)),
    };
    match entry.node.get_ref() {
        DeValue::Array(items) => {
            for item in items {
                take(item, entry.site.within(item.span()), faults);
            }
        }
        _ => take(entry.node, entry.site.clone(), faults),
    }
    found
}

fn axes(source: &Source, table: &DeTable<'_>, site: &Site, faults: &mut Faults) -> Vec<Axis> {
    let leaves = leaves(source, table, &[], faults);
    if table.is_empty() {
        faults.push(Fault::new("this table names no axis", site, "empty"));
    }
    leaves.iter().filter_map(|leaf| faults.keep(axis(source, leaf))).collect()
}

fn grid(source: &Source, table: &DeTable<'_>, site: &Site, faults: &mut Faults) -> Option<Grid> {
    let axes = axes(source, table, site, faults);
    for axis in &axes {
        faults.keep(refuse_repeats(axis));
    }
    (!axes.is_empty()).then_some(Grid { axes })
}

fn zip(source: &Source, table: &DeTable<'_>, site: &Site, faults: &mut Faults) -> Option<Zip> {
    let axes = axes(source, table, site, faults);
    let first = axes.first()?;
    for other in &axes[1..] {
        if other.values.len() != first.values.len() {
            let lengths = |axis: &Axis| format!("{} values", axis.values.len());
            let message = format!(
                "axes of a zip advance together, but `{}` has {} and `{}` has {}",
                first.key.path(),
                first.values.len(),
                other.key.path(),
                other.values.len(),
            );
            let fault = Fault::new(message, &other.key_site, lengths(other));
            faults.push(fault.and(&first.key_site, lengths(first)));
            return None;
        }
    }
    Some(Zip { axes })
}

fn conditions(source: &Source, entry: &Entry<'_, '_>, faults: &mut Faults) -> Option<Match> {
    let DeValue::Table(table) = entry.node.get_ref() else {
        faults.push(wrong_type("match", "a table of settings", entry.node, &entry.site));
        return None;
    };
    if table.is_empty() {
        let fault = Fault::new("an empty match would match every cell", &entry.site, "empty");
        faults.push(fault.help("name at least one setting: match = { method = \"simclr\" }"));
        return None;
    }
    let conditions: Vec<Condition> = leaves(source, table, &[], faults)
        .iter()
        .filter_map(|leaf| {
            let allowed = faults.keep(allowed(leaf))?;
            if allowed.is_empty() {
                faults.push(Fault::new(
                    "a match without values matches nothing",
                    &leaf.site,
                    "empty",
                ));
                return None;
            }
            Some(Condition { allowed })
        })
        .collect();
    (!conditions.is_empty()).then(|| Match { conditions, site: entry.site.clone() })
}

/// Returns the named entries of a rule's table, in the order of `valid`; others are faults.
fn parts<'t, 'd, const N: usize>(
    source: &Source,
    rule: &str,
    table: &'t DeTable<'d>,
    site: &Site,
    valid: [&str; N],
    faults: &mut Faults,
) -> Option<[Entry<'t, 'd>; N]> {
    let mut found: [Option<Entry<'t, 'd>>; N] = std::array::from_fn(|_| None);
    for entry in entries(source, table) {
        match valid.iter().position(|name| *name == entry.name) {
            Some(i) => found[i] = Some(entry),
            None => faults.push(unknown_key(rule, entry.name, &valid, &entry.key_site)),
        }
    }
    for (name, _) in valid.iter().zip(&found).filter(|(_, entry)| entry.is_none()) {
        faults.push(Fault::new(format!("a [[{rule}]] needs `{name}`"), site, "incomplete"));
    }
    found.into_iter().collect::<Option<Vec<_>>>()?.try_into().ok()
}

fn when(source: &Source, table: &DeTable<'_>, site: &Site, faults: &mut Faults) -> Option<When> {
    let [matches, axes] = parts(source, "when", table, site, ["match", "grid"], faults)?;
    let conditions = conditions(source, &matches, faults);
    let DeValue::Table(table) = axes.node.get_ref() else {
        faults.push(wrong_type("grid", "a table of axes", axes.node, &axes.site));
        return None;
    };
    let grid = grid(source, table, &axes.site, faults);
    Some(When { matches: conditions?, grid: grid? })
}

fn exclude(
    source: &Source,
    table: &DeTable<'_>,
    site: &Site,
    faults: &mut Faults,
) -> Option<Match> {
    let [matches] = parts(source, "exclude", table, site, ["match"], faults)?;
    conditions(source, &matches, faults)
}

fn include(
    source: &Source,
    table: &DeTable<'_>,
    site: &Site,
    faults: &mut Faults,
) -> Option<Include> {
    if table.is_empty() {
        faults.push(Fault::new("an [[include]] names the settings of its cell", site, "empty"));
    }
    let settings = settings(source, table, &[], faults);
    (!settings.is_empty()).then_some(Include { settings })
}

fn arm(
    source: &Source,
    table: &DeTable<'_>,
    site: &Site,
    earlier: &[Arm],
    faults: &mut Faults,
) -> Option<Arm> {
    let text = |name: &str, faults: &mut Faults| {
        let entry = entries(source, table).into_iter().find(|entry| entry.name == name)?;
        match entry.node.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => {
                Some((text.clone().into_owned(), entry.site))
            }
            _ => {
                faults.push(wrong_type(name, "a text", entry.node, &entry.site));
                None
            }
        }
    };
    let published = text("published", faults).map(|(text, _)| text);
    let settings = settings(source, table, &["name", "published"], faults);
    let Some((name, name_site)) = text("name", faults) else {
        if !table.contains_key("name") {
            faults.push(Fault::new("an [[arm]] needs a `name`", site, "no name"));
        }
        return None;
    };
    if name == BASELINE {
        let fault = Fault::new("the arm `baseline` is there of itself", &name_site, "taken");
        faults.push(fault.help("it is every cell without an arm's change; choose another name"));
    } else if earlier.iter().any(|arm| arm.name == name) {
        faults.push(Fault::new(format!("two arms are called \"{name}\""), &name_site, "again"));
    } else if settings.is_empty()
        && table.keys().all(|key| ["name", "published"].contains(&key.get_ref().as_ref()))
    {
        let fault = Fault::new(format!("the arm \"{name}\" changes nothing"), site, "no settings");
        faults.push(fault.help("the unchanged cell is the arm `baseline`, there of itself"));
    }
    Some(Arm { name, published, settings })
}
