//! What was reached against the device time that a trial took.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{EASY_LINES, Heading, has_spread, subtitle};
use crate::ids::TrainKey;
use crate::report::analysis::Analysis;
use crate::report::cell::Cell;
use crate::report::estimate::Estimate;
use crate::report::gathered::{Gathered, SpentOn};
use crate::report::metric::Metric;
use crate::report::words::{self, capitalised};

/// Below this ratio of the dearest setting to the cheapest, times tell nothing.
const WORTH_TELLING: f64 = 1.25;

/// Settings by cost and result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostFigure {
    /// Words.
    pub heading: Heading,
    /// What is drawn sideways, with its unit.
    pub x_label: String,
    /// What is drawn upwards, with its unit.
    pub y_label: String,
    /// Settings that share a colour.
    pub groups: Vec<CostGroup>,
    /// The settings that no other beats at a lower cost, by rising cost.
    pub frontier: Vec<(f64, f64)>,
}

/// Settings that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostGroup {
    /// What the legend says.
    pub name: String,
    /// One a setting.
    pub points: Vec<CostPoint>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostPoint {
    /// Mean time over seeds.
    pub x: f64,
    /// Mean result over seeds.
    pub y: f64,
    /// Some seed collapsed.
    pub collapsed: bool,
}

/// A point a setting; `None` where no times are known or all are alike.
pub(super) fn against_cost(gathered: &Gathered, analysis: &Analysis) -> Option<CostFigure> {
    let metric = Metric(&analysis.metric);
    let (device, seconds) = comparable(&gathered.spent)?;
    let known: Vec<(&Cell, f64, f64)> = analysis
        .cells
        .iter()
        .filter_map(|cell| {
            let times = cell.train_keys.iter().filter_map(|key| seconds.get(key).copied());
            Some((cell, Estimate::of(times)?.mean, metric.scaled(cell.estimate?.mean)))
        })
        .filter(|(_, cost, _)| *cost > 0.0)
        .collect();
    let dearest = known.iter().map(|(_, cost, _)| *cost).fold(0.0, f64::max);
    let cheapest = known.iter().map(|(_, cost, _)| *cost).fold(f64::INFINITY, f64::min);
    if known.len() < 2 || dearest / cheapest < WORTH_TELLING {
        return None;
    }
    let (unit, divisor) = unit(dearest);
    let mut groups: Vec<CostGroup> = Vec::new();
    for (cell, cost, y) in &known {
        let name = group_name(cell, known.len());
        let point = CostPoint { x: cost / divisor, y: *y, collapsed: cell.collapsed > 0 };
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.points.push(point),
            None => groups.push(CostGroup { name, points: vec![point] }),
        }
    }
    let title = format!("{} against device time", capitalised(&metric.words()));
    let of = if has_spread(analysis) { "means over seeds" } else { "one seed" };
    let caption = format!(
        "{title}: training time of a trial on {device} as measured, beside whatever else ran there, and without evaluation; {of}. The line joins the settings that no cheaper one beats."
    );
    let points: Vec<(f64, f64)> =
        groups.iter().flat_map(|group| &group.points).map(|point| (point.x, point.y)).collect();
    Some(CostFigure {
        heading: Heading {
            file: "accuracy-by-cost".to_owned(),
            title,
            subtitle: subtitle(gathered, analysis),
            caption,
        },
        x_label: format!("training time of a trial on {device} ({unit})"),
        y_label: metric.words_and_unit(),
        groups,
        frontier: frontier(points),
    })
}

/// Times on the kind of device that most trials ran on: those on others cannot be compared.
fn comparable(spent: &[SpentOn]) -> Option<(&'static str, BTreeMap<&TrainKey, f64>)> {
    let on = |device: &str| spent.iter().filter(|row| row.device == device).count();
    let (device, words) = if on("gpu") >= on("cpu") { ("gpu", "a GPU") } else { ("cpu", "CPUs") };
    let elsewhere: BTreeSet<&TrainKey> =
        spent.iter().filter(|row| row.device != device).map(|row| &row.train_key).collect();
    let times: BTreeMap<&TrainKey, f64> = spent
        .iter()
        .filter(|row| row.device == device && !elsewhere.contains(&row.train_key))
        .map(|row| (&row.train_key, row.train_s))
        .collect();
    (!times.is_empty()).then_some((words, times))
}

fn unit(seconds: f64) -> (&'static str, f64) {
    match seconds {
        s if s < 180.0 => ("seconds", 1.0),
        s if s < 3.0 * 3600.0 => ("minutes", 60.0),
        _ => ("hours", 3600.0),
    }
}

/// Few settings have a colour each, many one for their method.
fn group_name(cell: &Cell, settings: usize) -> String {
    match &cell.method {
        _ if settings <= EASY_LINES => cell.name(),
        Some(method) => words::method(method),
        None => "this sweep".to_owned(),
    }
}

fn frontier(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.retain(|(x, y)| x.is_finite() && y.is_finite());
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut best = f64::NEG_INFINITY;
    points.retain(|(_, y)| {
        let better = *y > best;
        best = best.max(*y);
        better
    });
    points
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    fn figure(gathered: &Gathered) -> Option<CostFigure> {
        against_cost(gathered, &analyse(gathered))
    }

    #[test]
    fn the_frontier_is_what_no_cheaper_setting_beats() {
        let points = vec![(3.0, 5.0), (1.0, 2.0), (2.0, 1.0), (2.5, 4.0), (4.0, f64::NAN)];
        assert_eq!(frontier(points), [(1.0, 2.0), (2.5, 4.0), (3.0, 5.0)]);
    }

    #[test]
    fn settings_are_drawn_by_their_mean_time() {
        let figure = figure(&samples::costly_sweep()).unwrap();
        assert_eq!(figure.x_label, "training time of a trial on a GPU (minutes)");
        let names: Vec<&str> = figure.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["BYOL", "SimCLR"]);
        assert_eq!(figure.groups[0].points.len(), 5);
        // The cheapest batch took 600 s, its seeds 0, 30 and 60 s more.
        assert!((figure.groups[0].points[0].x - 10.5).abs() < 1e-9);
        assert!(!figure.frontier.is_empty());
    }

    #[test]
    fn equal_times_and_times_on_other_devices_tell_nothing() {
        let mut gathered = samples::costly_sweep();
        gathered.spent.iter_mut().for_each(|row| row.train_s = 600.0);
        assert_eq!(figure(&gathered), None);
        assert_eq!(figure(&samples::batch_sweep()), None);
        let mut gathered = samples::costly_sweep();
        let first = gathered.spent[0].train_key.clone();
        gathered.spent.push(SpentOn { train_key: first, device: "cpu".to_owned(), train_s: 9e9 });
        assert!(figure(&gathered).unwrap().groups[0].points.iter().all(|point| point.x < 1e3));
    }
}
