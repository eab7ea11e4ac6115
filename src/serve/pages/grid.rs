//! Settings by seeds, a cell a trial: fills in as trials end.

use std::collections::HashSet;

use maud::{Markup, html};

use super::super::links;
use super::super::look::Look;
use super::super::roster::{Group, Roster, Row};
use super::short;
use crate::report::estimate::Estimate;

/// Settings on a page.
pub(super) const ROWS: usize = 60;

/// Steps of the tint behind a value.
const TINTS: f64 = 7.0;

/// Returns the settings that have any of the chosen trials.
pub(super) fn groups<'r>(roster: &'r Roster, chosen: &HashSet<usize>) -> Vec<&'r Group> {
    let has_one = |group: &&Group| group.places.iter().any(|place| chosen.contains(place));
    roster.groups.iter().filter(has_one).collect()
}

/// Sets these settings; trials that were not chosen stand back.
pub(super) fn table(roster: &Roster, groups: &[&Group], chosen: &HashSet<usize>) -> Markup {
    let metric = &roster.sweep.facts.report_metric;
    let rows = || groups.iter().flat_map(|group| &group.places).map(|place| &roster.rows[*place]);
    let scale = Scale::of(rows().filter_map(|row| value(row, metric)));
    html! {
        table.grid {
            caption { (metric.as_str()) ", by setting and seed" }
            thead {
                tr {
                    th scope="col" { "setting" }
                    @for seed in roster.seeds.iter() { th scope="col" { span.word { "seed " } (seed) } }
                    th.mean scope="col" { "mean" }
                }
            }
            tbody {
                @for group in groups {
                    tr {
                        th scope="row" { (group.cell) }
                        @for seed in roster.seeds.iter() {
                            td { (cell(roster, group, *seed, chosen, &scale)) }
                        }
                        td.mean { (mean(roster, group, metric)) }
                    }
                }
            }
        }
    }
}

fn cell(
    roster: &Roster,
    group: &Group,
    seed: u64,
    chosen: &HashSet<usize>,
    scale: &Scale,
) -> Markup {
    let found = group.places.iter().find(|place| roster.rows[**place].trial.run.seed == seed);
    let Some(place) = found else { return html! {} };
    let (row, name) = (&roster.rows[*place], &roster.sweep.name);
    let look = row.look();
    let metric = &roster.sweep.facts.report_metric;
    let value = value(row, metric);
    let tint = value.filter(|_| look == Look::Done).map(|value| scale.tint(value));
    let said = value.map(|value| short(metric, value));
    let out = (!chosen.contains(place)).then_some("out");
    let classes: Vec<&str> = ["cell", look.class()].into_iter().chain(tint).chain(out).collect();
    html! {
        a class=(classes.join(" ")) id=(format!("t{}", row.trial.ordinal))
            href=(links::trial(name, &row.trial.train_key))
            title=(title(row, look))
            aria-label=(format!("seed {seed}: {} {}", look.word(), said.as_deref().unwrap_or_default())) {
            @if look != Look::Done || said.is_none() { span.sign { (look.sign()) } }
            @if let Some(said) = said { (said) }
        }
    }
}

fn value(row: &Row, metric: &str) -> Option<f64> {
    row.finals.get(metric).copied()
}

fn title(row: &Row, look: Look) -> String {
    let number = row.trial.ordinal;
    match &row.trial.failure {
        Some((reason, detail)) => format!("trial {number}: {}: {detail}", reason.as_str()),
        None => format!("trial {number}: {}", look.word()),
    }
}

fn mean(roster: &Roster, group: &Group, metric: &str) -> Markup {
    let rows = group.places.iter().map(|place| &roster.rows[*place]);
    let Some(estimate) = Estimate::of(rows.filter_map(|row| value(row, metric))) else {
        return html! {};
    };
    html! {
        (short(metric, estimate.mean))
        @if let Some(sd) = estimate.sd() { span.muted { " ± " (short(metric, sd)) } }
    }
}

/// Values between which cells are tinted.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let none = Self { low: f64::INFINITY, high: f64::NEG_INFINITY };
        values.fold(none, |scale, value| Self {
            low: scale.low.min(value),
            high: scale.high.max(value),
        })
    }

    /// Returns the class of a value's tint.
    fn tint(&self, value: f64) -> &'static str {
        const CLASSES: [&str; 8] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7"];
        let share = (value - self.low) / (self.high - self.low);
        // All values may be the same.
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 };
        CLASSES[(share * TINTS).round() as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_value_has_the_strongest_tint() {
        let scale = Scale::of([0.2, 0.6, 0.4].into_iter());
        assert_eq!([0.2, 0.4, 0.6].map(|value| scale.tint(value)), ["q0", "q4", "q7"]);
        assert_eq!(Scale::of([0.5].into_iter()).tint(0.5), "q7");
        assert_eq!(Scale::of(std::iter::empty()).tint(0.5), "q7");
    }
}
