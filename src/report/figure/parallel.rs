//! Settings of many axes at once: a course through the values of each, shaded by what it reached.

use serde::Serialize;

use super::{Heading, Tick, has_spread, subtitle};
use crate::report::analysis::Analysis;
use crate::report::cell::Cell;
use crate::report::gathered::Gathered;
use crate::report::metric::Metric;
use crate::report::words::{self, capitalised};

/// Courses that can be seen at all.
const MOST_COURSES: usize = 1000;
/// Axes that a page has room for.
const MOST_AXES: usize = 7;

/// Parallel coordinates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParallelFigure {
    /// Words.
    pub heading: Heading,
    /// The settings, from left to right; what was reached stands at the right end.
    pub axes: Vec<ParallelAxis>,
    /// What was reached, with its unit.
    pub value_label: String,
    /// The lowest first, so that the best are drawn last.
    pub courses: Vec<ParallelCourse>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParallelAxis {
    /// Its name.
    pub label: String,
    /// Its values, from 0 at the bottom to 1 at the top.
    pub ticks: Vec<Tick>,
}

/// A setting's way through the axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParallelCourse {
    /// Place on each axis; `None` where the setting does not act.
    pub at: Vec<Option<f64>>,
    /// Mean over seeds.
    pub value: f64,
    /// Some seed collapsed.
    pub collapsed: bool,
}

/// All settings of the sweep that have a result.
pub(super) fn of_all(
    gathered: &Gathered,
    analysis: &Analysis,
    axes: &[&str],
) -> Option<ParallelFigure> {
    let metric = Metric(&analysis.metric);
    let shown = &axes[..axes.len().min(MOST_AXES)];
    let values: Vec<Vec<(Option<f64>, String)>> =
        shown.iter().map(|axis| values_of(axis, &analysis.cells)).collect();
    let mut courses: Vec<ParallelCourse> = analysis
        .cells
        .iter()
        .filter_map(|cell| {
            let at = |(axis, values): (&&str, &Vec<(Option<f64>, String)>)| {
                let value = cell.label.axes.get(*axis)?;
                let words = words::entry(axis, value);
                Some(place(values.iter().position(|(_, known)| *known == words)?, values.len()))
            };
            Some(ParallelCourse {
                at: shown.iter().zip(&values).map(at).collect(),
                value: metric.scaled(cell.estimate?.mean),
                collapsed: cell.collapsed > 0,
            })
        })
        .collect();
    if courses.is_empty() {
        return None;
    }
    courses.sort_by(|a, b| a.value.total_cmp(&b.value));
    let all = courses.len();
    courses.drain(..all.saturating_sub(MOST_COURSES));
    let title = format!("{} by all settings", capitalised(&metric.words()));
    let of = if has_spread(analysis) { "means over seeds" } else { "one seed" };
    let mut caption =
        format!("{title}: a line through the values of each setting, darker is higher; {of}.");
    if courses.iter().flat_map(|course| &course.at).any(Option::is_none) {
        caption += " A setting that does not act is passed at “not used”, below its values.";
    }
    if courses.len() < all {
        caption += &format!(" The best {} of {all} settings.", courses.len());
    }
    if shown.len() < axes.len() {
        caption += &format!(" The first {} of {} axes.", shown.len(), axes.len());
    }
    let axis = |(axis, values): (&&str, &Vec<(Option<f64>, String)>)| ParallelAxis {
        label: words::heading(axis),
        ticks: values
            .iter()
            .enumerate()
            .map(|(rank, (_, words))| Tick::joined(place(rank, values.len()), words.clone()))
            .collect(),
    };
    Some(ParallelFigure {
        heading: Heading {
            file: "all-settings".to_owned(),
            title,
            subtitle: subtitle(gathered, analysis),
            caption,
        },
        axes: shown.iter().zip(&values).map(axis).collect(),
        value_label: metric.words_and_unit(),
        courses,
    })
}

/// Values stand equally spaced; a single one in the middle.
fn place(rank: usize, of: usize) -> f64 {
    if of < 2 { 0.5 } else { rank as f64 / (of - 1) as f64 }
}

/// The values of an axis: numbers in rising order, others in the order of the sweep.
fn values_of(axis: &str, cells: &[Cell]) -> Vec<(Option<f64>, String)> {
    let mut values: Vec<(Option<f64>, String)> = Vec::new();
    for value in cells.iter().filter_map(|cell| cell.label.axes.get(axis)) {
        let words = words::entry(axis, value);
        if !values.iter().any(|(_, known)| *known == words) {
            values.push((value.as_f64(), words));
        }
    }
    if values.iter().all(|(number, _)| number.is_some()) {
        values.sort_by(|a, b| a.0.unwrap_or(0.0).total_cmp(&b.0.unwrap_or(0.0)));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    #[test]
    fn a_course_goes_through_its_values_and_the_best_is_last() {
        let gathered = samples::search_sweep(60);
        let axes = ["method", "batch_size", "optimizer.base_lr", "tau_base"];
        let figure = of_all(&gathered, &analyse(&gathered), &axes).unwrap();
        assert_eq!((figure.axes.len(), figure.courses.len()), (4, 60));
        let ticks: Vec<&str> =
            figure.axes[0].ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(ticks, ["BYOL", "SimCLR"]);
        assert!(figure.courses.windows(2).all(|pair| pair[0].value <= pair[1].value));
        // SimCLR has no tau.
        let simclr = figure.courses.iter().find(|course| course.at[0] == Some(1.0)).unwrap();
        assert_eq!(simclr.at[3], None);
    }

    #[test]
    fn of_very_many_the_best_are_kept() {
        let gathered = samples::search_sweep(1100);
        let axes = ["method", "batch_size", "optimizer.base_lr"];
        let figure = of_all(&gathered, &analyse(&gathered), &axes).unwrap();
        assert_eq!(figure.courses.len(), 1000);
        assert!(figure.heading.caption.ends_with("The best 1000 of 1100 settings."));
    }
}
