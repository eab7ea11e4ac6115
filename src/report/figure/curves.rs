//! Metrics over the updates, one line a setting: how training went, and how the embedding was.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CurveFigure, EASY_LINES, Heading, Line, MOST_LINES, Origin, Panel, Point, has_spread, slug,
    subtitle,
};
use crate::ids::TrainKey;
use crate::report::analysis::Analysis;
use crate::report::cell::Cell;
use crate::report::gathered::Gathered;
use crate::report::metric::Metric;
use crate::report::words;
use crate::spec::run::{Loss, RunSpec};
use crate::store::rows::TrialState;

/// Panels of a figure.
const PANELS: usize = 4;
/// Parts of the training over which a seed's values are averaged before seeds are.
const BINS: u64 = 100;
/// What is shown first of the training; the rest follows by name.
const FIRST: [&str; 4] = ["loss", "knn_top1", "linear_top1", "knn_probe_top1"];
/// What tells a collapse.
const EMBEDDING: [&str; 2] = ["embedding_std_relative", "effective_rank"];
/// Schedules: the same for every trial, and settings rather than measurements.
const SCHEDULES: [&str; 3] = ["lr", "learning_rate", "tau"];

type Course = Vec<(u64, f64)>;

/// What a figure is about.
#[derive(Clone, Copy)]
enum Subject {
    Training,
    Embedding,
}

impl Subject {
    const ALL: [Self; 2] = [Self::Training, Self::Embedding];

    fn file(self) -> &'static str {
        match self {
            Self::Training => "curves",
            Self::Embedding => "embedding",
        }
    }

    fn title(self, method: Option<&str>) -> String {
        match (self, method.map(words::method)) {
            (Self::Training, Some(method)) => format!("{method} during training"),
            (Self::Training, None) => "During training".to_owned(),
            (Self::Embedding, Some(method)) => format!("{method}: embedding during training"),
            (Self::Embedding, None) => "Embedding during training".to_owned(),
        }
    }

    /// What the caption adds.
    fn note(self) -> &'static str {
        match self {
            Self::Training => "",
            Self::Embedding => {
                " Of the projections after each epoch; a collapsed embedding has std 0 and rank 1."
            }
        }
    }

    /// The metrics that there are, in order.
    fn metrics(self, gathered: &Gathered) -> Vec<&str> {
        let is_there = |name: &&str| gathered.curves.contains_key(*name);
        match self {
            Self::Embedding => EMBEDDING.into_iter().filter(is_there).collect(),
            Self::Training => {
                let apart = |name: &&str| {
                    [&FIRST[..], &SCHEDULES, &EMBEDDING].iter().any(|names| names.contains(name))
                };
                let rest = gathered.curves.keys().map(String::as_str).filter(|name| !apart(name));
                FIRST.into_iter().filter(is_there).chain(rest).collect()
            }
        }
    }
}

/// For each subject one figure, or one a method where there are too many lines for one.
pub(super) fn over_updates(gathered: &Gathered, analysis: &Analysis) -> Vec<CurveFigure> {
    Subject::ALL.into_iter().flat_map(|subject| about(subject, gathered, analysis)).collect()
}

fn about(subject: Subject, gathered: &Gathered, analysis: &Analysis) -> Vec<CurveFigure> {
    let by_method = analysis.cells.len() > EASY_LINES
        && gathered.sweep.axes.iter().any(|axis| axis == "method");
    if !by_method {
        let cells: Vec<&Cell> = analysis.cells.iter().collect();
        return figure(subject, gathered, analysis, None, &cells).into_iter().collect();
    }
    let mut methods: Vec<&str> = Vec::new();
    for method in analysis.cells.iter().filter_map(|cell| cell.method.as_deref()) {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    let of_method = |method: &str| -> Vec<&Cell> {
        analysis.cells.iter().filter(|cell| cell.method.as_deref() == Some(method)).collect()
    };
    methods
        .into_iter()
        .filter_map(|method| figure(subject, gathered, analysis, Some(method), &of_method(method)))
        .collect()
}

fn figure(
    subject: Subject,
    gathered: &Gathered,
    analysis: &Analysis,
    method: Option<&str>,
    cells: &[&Cell],
) -> Option<CurveFigure> {
    let shown = &cells[..cells.len().min(MOST_LINES)];
    let (metrics, panels): (Vec<&str>, Vec<Panel>) = subject
        .metrics(gathered)
        .into_iter()
        .map(|metric| (metric, panel(gathered, metric, method, shown)))
        .filter(|(_, panel)| !panel.lines.is_empty())
        .take(PANELS)
        .unzip();
    if panels.is_empty() {
        return None;
    }
    let title = subject.title(method);
    let of = if has_spread(analysis) { "means over seeds" } else { "one seed" };
    let mut caption = format!("{title}: {of}.{}", subject.note());
    if metrics.contains(&"loss") && gathered.trials.iter().any(|trial| is_contrastive(&trial.run)) {
        caption += " Losses of different methods are on scales of their own, and contrastive ones rise with the images of a forward pass: compare none of them by height.";
    }
    if metrics.contains(&"knn_probe_top1") {
        caption += " The kNN probe sorts a few training images by others of them: it is for watching a run, and compares nothing.";
    }
    if shown.len() < cells.len() {
        caption += &format!(" The first {} of {} settings.", shown.len(), cells.len());
    }
    if !stopped_early(gathered).is_empty() {
        caption += " Trials that were stopped early are left out.";
    }
    let file = subject.file();
    let file = method.map_or_else(|| file.to_owned(), |method| format!("{file}-{}", slug(method)));
    let heading = Heading { file, title, subtitle: subtitle(gathered, analysis), caption };
    Some(CurveFigure { heading, x_label: "update".to_owned(), panels })
}

fn is_contrastive(run: &RunSpec) -> bool {
    match run.loss {
        Loss::NtXent { .. } | Loss::InfoNce { .. } => true,
        Loss::Regression { .. } => false,
    }
}

/// Trials whose course ends where a policy stopped them.
fn stopped_early(gathered: &Gathered) -> BTreeSet<&TrainKey> {
    let stopped = gathered.trials.iter().filter(|trial| trial.state == TrialState::Pruned);
    stopped.map(|trial| &trial.train_key).collect()
}

fn panel(gathered: &Gathered, metric: &str, method: Option<&str>, cells: &[&Cell]) -> Panel {
    let stopped = stopped_early(gathered);
    let courses: BTreeMap<&TrainKey, &Course> = gathered
        .curves
        .get(metric)
        .into_iter()
        .flatten()
        .filter(|series| !stopped.contains(&series.train_key))
        .map(|series| (&series.train_key, &series.points))
        .collect();
    let last = courses.values().filter_map(|points| points.last()).map(|(update, _)| *update).max();
    let line = |(style, cell): (usize, &&Cell)| {
        let courses: Vec<&Course> =
            cell.train_keys.iter().filter_map(|key| courses.get(key).copied()).collect();
        let name = if method.is_some() { cell.name_without_method() } else { cell.name() };
        let mut points = mean_course(Metric(metric), &courses, last?);
        if let Some(end) = points.last_mut() {
            (end.diverged, end.collapsed) = (cell.diverged > 0, cell.collapsed > 0);
        }
        (!points.is_empty()).then_some(Line { name, style, origin: Origin::Ours, points })
    };
    Panel {
        y_label: Metric(metric).words_and_unit(),
        lines: cells.iter().enumerate().filter_map(line).collect(),
        levels: Vec::new(),
    }
}

/// The mean over seeds of each seed's mean in every part of the training.
fn mean_course(metric: Metric<'_>, courses: &[&Course], last: u64) -> Vec<Point> {
    let part = |update: u64| update * BINS / last.max(1);
    // Part to the seeds' (sum of updates, sum of values, count).
    let mut parts: BTreeMap<u64, Vec<(f64, f64, f64)>> = BTreeMap::new();
    for course in courses {
        let mut own: BTreeMap<u64, (f64, f64, f64)> = BTreeMap::new();
        for (update, value) in course.iter().filter(|(_, value)| value.is_finite()) {
            let sums = own.entry(part(*update)).or_default();
            *sums = (sums.0 + *update as f64, sums.1 + value, sums.2 + 1.0);
        }
        for (part, sums) in own {
            parts.entry(part).or_default().push(sums);
        }
    }
    let point = |seeds: Vec<(f64, f64, f64)>| {
        let count = seeds.len() as f64;
        let x = seeds.iter().map(|(updates, _, n)| updates / n).sum::<f64>() / count;
        let y = seeds.iter().map(|(_, values, n)| values / n).sum::<f64>() / count;
        Point::plain(x, metric.scaled(y))
    };
    parts.into_values().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_count_alike_however_often_they_were_logged() {
        let often: Course = vec![(0, 1.0), (1, 3.0), (100, 5.0)];
        let once: Course = vec![(0, 4.0), (100, 7.0)];
        let points = mean_course(Metric("loss"), &[&often, &once], 1000);
        let values: Vec<f64> = points.iter().map(|point| point.y).collect();
        assert_eq!(values, [3.0, 6.0]);
        assert_eq!(points[1].x, 100.0);
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let course: Course = vec![(0, 1.0), (500, f64::NAN)];
        assert_eq!(mean_course(Metric("loss"), &[&course], 500).len(), 1);
    }
}
