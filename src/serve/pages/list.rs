//! Trials one a row, with what came out of them.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::links;
use super::super::roster::Roster;
use super::filter::Asked;
use super::{short, state};

/// Trials on a page.
pub(super) const ROWS: usize = 100;

/// Sets these trials.
pub(super) fn table(roster: &Roster, places: &[usize], asked: &Asked, address: &str) -> Markup {
    let accuracies = accuracies(roster);
    let has_tags = roster.rows.iter().any(|row| !row.wish.tags.is_empty());
    html! {
        div.scroll tabindex="0" role="region" aria-label="trials" {
            table.list {
                thead {
                    tr {
                        (head(asked, address, "number", "#"))
                        (head(asked, address, "state", "state"))
                        th scope="col" { "setting" }
                        (head(asked, address, "seed", "seed"))
                        @for name in &accuracies {
                            (head(asked, address, &format!("metric.{name}"), name))
                        }
                        (head(asked, address, "attempts", "attempts"))
                        @if has_tags { th scope="col" { "tags" } }
                    }
                }
                tbody {
                    @for place in places {
                        @let row = &roster.rows[*place];
                        tr id=(format!("t{}", row.trial.ordinal)) {
                            td.number {
                                a href=(links::trial(&roster.sweep.name, &row.trial.train_key)) {
                                    (row.trial.ordinal)
                                }
                            }
                            td { (state(row.look())) }
                            td.words { (row.cell()) }
                            td.number { (row.trial.run.seed) }
                            @for name in &accuracies {
                                td.number {
                                    @if let Some(value) = row.finals.get(name) { (short(name, *value)) }
                                }
                            }
                            td.number { (row.trial.attempts) }
                            @if has_tags {
                                td { @for tag in &row.wish.tags { span.tag { (tag) } " " } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Sets the head of a column that sorts by it, the other way round once it does.
fn head(asked: &Asked, address: &str, key: &str, name: &str) -> Markup {
    let falling = format!("-{key}");
    let (next, order) = match asked.sort.as_str() {
        sort if sort == key => (falling.as_str(), Some("ascending")),
        sort if sort == falling => (key, Some("descending")),
        _ if key.starts_with("metric.") => (falling.as_str(), None),
        _ => (key, None),
    };
    let sign = match order {
        Some("ascending") => " ↑",
        Some(_) => " ↓",
        None => "",
    };
    // Heads stand over what they name: numbers are set to the right.
    let is_number = key != "state";
    html! {
        th.number[is_number] scope="col" aria-sort=[order] {
            a href=(asked.sorted_by(address, next)) { (name) (sign) }
        }
    }
}

/// Returns the accuracies of the trained encoder.
fn accuracies(roster: &Roster) -> Vec<String> {
    let names: BTreeSet<&String> = roster.rows.iter().flat_map(|row| row.finals.keys()).collect();
    let is_shown = |name: &&String| name.ends_with("_top1") && !name.starts_with("floor_");
    names.into_iter().filter(is_shown).cloned().collect()
}
