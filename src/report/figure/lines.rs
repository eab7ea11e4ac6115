//! Accuracy against one setting, and its change beside the paper's.

use std::collections::BTreeSet;

use super::{
    Heading, Level, Line, LineFigure, MOST_BANDS, MOST_LINES, Origin, Panel, Point, SpreadForm,
    SpreadMarks, Tick, has_spread, levels, slug, spread_words, subtitle,
};
use crate::report::analysis::Analysis;
use crate::report::cell::{Cell, name};
use crate::report::gathered::Gathered;
use crate::report::imports;
use crate::report::metric::Metric;
use crate::report::reference::Reference;
use crate::report::words::{self, capitalised};

/// From this ratio of the largest to the smallest value on, values stand by their logarithm.
const WIDE: f64 = 8.0;

/// How the values of a setting lie on their axis.
#[derive(Clone, Copy)]
enum Scale {
    /// As they are.
    Linear,
    /// By their logarithm to base 2; 0 stands apart.
    Log2,
    /// By how many updates a moving average remembers: 0.9, 0.99 and 0.999 are equally spaced. 0 and
    /// 1 are no averages and stand apart.
    Memory,
}

/// A figure against one axis of a sweep.
struct Subject<'a> {
    axis: &'a str,
    file: String,
    words: String,
    x_label: String,
    scale: Scale,
}

/// The paper's Figure 3(a).
pub(super) fn by_batch_size(gathered: &Gathered, analysis: &Analysis) -> Option<LineFigure> {
    let subject = Subject {
        axis: "batch_size",
        file: "accuracy-by-batch-size".to_owned(),
        words: "batch size".to_owned(),
        x_label: batch_words(gathered),
        scale: Scale::Log2,
    };
    subject.figure(gathered, analysis)
}

/// The paper's Table 5(a).
pub(super) fn by_tau_base(gathered: &Gathered, analysis: &Analysis) -> Option<LineFigure> {
    let subject = Subject {
        axis: "tau_base",
        file: "accuracy-by-tau-base".to_owned(),
        words: "tau base".to_owned(),
        x_label: "tau base".to_owned(),
        scale: Scale::Memory,
    };
    subject.figure(gathered, analysis)
}

/// Any other setting whose values are numbers.
pub(super) fn by_setting(
    gathered: &Gathered,
    analysis: &Analysis,
    axis: &str,
) -> Option<LineFigure> {
    let words = words::heading(axis);
    let values = analysis.cells.iter().filter_map(|cell| cell.label.axes.get(axis)?.as_f64());
    let subject = Subject {
        axis,
        file: format!("accuracy-by-{}", slug(&words)),
        x_label: words.clone(),
        words,
        scale: Scale::of(values),
    };
    subject.figure(gathered, analysis)
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut ends = (f64::INFINITY, 0.0_f64);
        for value in values {
            if value < 0.0 {
                return Self::Linear;
            }
            if value > 0.0 {
                ends = (ends.0.min(value), ends.1.max(value));
            }
        }
        if ends.1 >= ends.0 * WIDE { Self::Log2 } else { Self::Linear }
    }

    /// Returns where a value stands; `None` where it stands apart.
    fn at(self, value: f64) -> Option<f64> {
        match self {
            Self::Linear => Some(value),
            Self::Log2 => (value > 0.0).then(|| value.log2()),
            Self::Memory => (value > 0.0 && value < 1.0).then(|| -(1.0 - value).log10()),
        }
    }

    /// Returns why a value stands apart.
    fn apart(self, value: f64) -> &'static str {
        match self {
            Self::Memory if value >= 1.0 => "random network",
            Self::Memory => "online network",
            Self::Linear | Self::Log2 => "not to scale",
        }
    }

    /// Places rising values on the axis.
    fn ticks(self, values: Vec<(f64, String)>) -> Vec<Tick> {
        let inner: Vec<f64> = values.iter().filter_map(|(value, _)| self.at(*value)).collect();
        let (first, last) = match (inner.first(), inner.last()) {
            (Some(first), Some(last)) => (*first, *last),
            (None, _) | (_, None) => (0.0, 0.0),
        };
        let steps = inner.len().saturating_sub(1).max(1) as f64;
        let step = if last > first { (last - first) / steps } else { 1.0 };
        let place = |(value, label): (f64, String)| match self.at(value) {
            Some(at) => Tick::joined(at, label),
            None => {
                let is_above = matches!(self, Self::Memory) && value >= 1.0;
                let at = if is_above { last + step } else { first - step };
                Tick { at, label, apart: Some(self.apart(value).to_owned()) }
            }
        };
        values.into_iter().map(place).collect()
    }
}

/// Which of the two batch studies it is: one where small batches are averaged into equal updates
/// (the paper's, section 5), or one where the update shrinks with the batch.
fn batch_words(gathered: &Gathered) -> String {
    let runs = || {
        let labelled = gathered
            .trials
            .iter()
            .filter(|trial| trial.labels.iter().any(|label| label.axes.contains_key("batch_size")));
        labelled.map(|trial| &trial.run)
    };
    let updates: BTreeSet<u32> = runs().map(|run| run.update_batch_size).collect();
    if runs().all(|run| run.update_batch_size == run.batch_size) {
        return "batch size (images per update and per forward pass)".to_owned();
    }
    match updates.first() {
        Some(images) if updates.len() == 1 => {
            format!("batch size (images per forward pass), at {images} images per update")
        }
        Some(_) | None => "batch size (images per forward pass)".to_owned(),
    }
}

impl Subject<'_> {
    fn figure(&self, gathered: &Gathered, analysis: &Analysis) -> Option<LineFigure> {
        if !gathered.sweep.axes.iter().any(|axis| axis == self.axis) {
            return None;
        }
        let metric = Metric(&analysis.metric);
        let ticks = self.ticks(analysis);
        let mut values =
            self.lines(analysis, &ticks, Origin::Ours, |cell| value(metric, cell, analysis));
        if values.is_empty() {
            return None;
        }
        values.extend(self.imported(gathered, analysis, metric, &ticks));
        let levels = levels(analysis, metric);
        let mut panels = vec![Panel { y_label: metric.words_and_unit(), lines: values, levels }];
        panels.extend(self.changes(analysis, metric, &ticks));
        let title = format!("{} by {}", capitalised(&metric.words()), self.words);
        let ours = panels[0].lines.len();
        let marks = if ours <= MOST_BANDS { SpreadMarks::bands } else { SpreadMarks::whiskers };
        let spread = has_spread(analysis).then(|| marks(analysis.spread));
        Some(LineFigure {
            heading: Heading {
                file: self.file.clone(),
                title,
                subtitle: subtitle(gathered, analysis),
                caption: self.caption(analysis, &panels, spread.as_ref()),
            },
            x_label: self.x_label.clone(),
            ticks,
            spread,
            panels,
        })
    }

    /// Other people's values: a line an import and a line of ours, in styles that ours leave.
    fn imported(
        &self,
        gathered: &Gathered,
        analysis: &Analysis,
        metric: Metric<'_>,
        ticks: &[Tick],
    ) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for import in imports::names(gathered, metric) {
            let value = |cell: &Cell| {
                let value = imports::value(gathered, metric, import, cell)?;
                Some(Reached { y: metric.scaled(value), spread: None, seeds: Vec::new() })
            };
            for line in self.lines(analysis, ticks, Origin::Imported, value) {
                lines.push(Line { name: format!("{} ({import})", line.name), ..line });
            }
        }
        let ours =
            self.lines(analysis, ticks, Origin::Ours, |cell| value(metric, cell, analysis)).len();
        lines.truncate(MOST_LINES.saturating_sub(ours));
        for (line, style) in lines.iter_mut().zip(ours..) {
            line.style = style;
        }
        lines
    }

    fn changes(&self, analysis: &Analysis, metric: Metric<'_>, ticks: &[Tick]) -> Option<Panel> {
        let fits = |reference: &Reference| {
            reference.axis() == Some(self.axis) || *reference == Reference::PublishedBaseline
        };
        let reference = analysis.reference.filter(fits)?;
        let mut lines =
            self.lines(analysis, ticks, Origin::Ours, |cell| change(metric, cell, analysis));
        // A lone reference is 0 by definition and tells nothing of the paper.
        let published = self.lines(analysis, ticks, Origin::Paper, printed_change).into_iter();
        lines.extend(published.filter(|line| line.points.len() > 1));
        lines.iter().find(|line| !line.points.is_empty())?;
        Some(Panel {
            y_label: format!("change against {}{}", reference.words(), metric.difference_heading()),
            lines,
            levels: vec![Level { at: 0.0, label: String::new() }],
        })
    }

    fn ticks(&self, analysis: &Analysis) -> Vec<Tick> {
        let mut values: Vec<(f64, String)> = Vec::new();
        for value in analysis.cells.iter().filter_map(|cell| cell.label.axes.get(self.axis)) {
            if let Some(number) = value.as_f64()
                && !values.iter().any(|(known, _)| *known == number)
            {
                values.push((number, words::plain(value)));
            }
        }
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.scale.ticks(values)
    }

    fn lines(
        &self,
        analysis: &Analysis,
        ticks: &[Tick],
        origin: Origin,
        y: impl Fn(&Cell) -> Option<Reached>,
    ) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for cell in &analysis.cells {
            let Some(value) = cell.label.axes.get(self.axis) else { continue };
            let label = words::plain(value);
            let Some(tick) = ticks.iter().find(|tick| tick.label == label) else { continue };
            let name = self.line_name(cell);
            let known = lines.iter().position(|line| line.name == name);
            let style = match known {
                Some(style) => style,
                None if lines.len() == MOST_LINES => continue,
                None => {
                    let style = lines.len();
                    lines.push(Line { name, style, origin, points: Vec::new() });
                    style
                }
            };
            if let Some(Reached { y, spread, seeds }) = y(cell) {
                let ours = origin == Origin::Ours;
                let (diverged, collapsed) = (ours && cell.diverged > 0, ours && cell.collapsed > 0);
                let point = Point { x: tick.at, y, spread, seeds, diverged, collapsed };
                lines[style].points.push(point);
            }
        }
        for line in &mut lines {
            line.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        }
        lines.retain(|line| !line.points.is_empty());
        lines
    }

    /// A line's name: the cell without the axis that it runs along.
    fn line_name(&self, cell: &Cell) -> String {
        let mut label = cell.label.clone();
        label.axes.remove(self.axis);
        if label.axes.is_empty() && label.arm.is_none() {
            return cell.method.as_deref().map_or_else(|| "this sweep".to_owned(), words::method);
        }
        name(&label, cell.method.as_deref())
    }

    fn caption(
        &self,
        analysis: &Analysis,
        panels: &[Panel],
        spread: Option<&SpreadMarks>,
    ) -> String {
        let title = format!("{} by {}", capitalised(&Metric(&analysis.metric).words()), self.words);
        let mut caption = match spread {
            Some(spread) => {
                let marks = match spread.form {
                    SpreadForm::Bands => "bands",
                    SpreadForm::Whiskers => "whiskers",
                };
                format!(
                    "{title}. Points are means over seeds, small dots the seeds, {marks} {}.",
                    spread_words(analysis.spread)
                )
            }
            None => format!("{title}, one seed: the spread is unknown."),
        };
        if panels.iter().flat_map(|panel| &panel.lines).any(|line| line.origin == Origin::Imported)
        {
            caption += " Hollow markers with a name in parentheses: imported results of others.";
        }
        let has_paper =
            panels.iter().flat_map(|panel| &panel.lines).any(|line| line.origin == Origin::Paper);
        if has_paper && let Some(table) = analysis.table {
            caption += &format!(
                " Hollow markers on dashed lines: the paper ({}), at its own setting.",
                table.source
            );
        }
        caption
    }
}

/// What a setting reached.
struct Reached {
    y: f64,
    spread: Option<(f64, f64)>,
    seeds: Vec<f64>,
}

fn value(metric: Metric<'_>, cell: &Cell, analysis: &Analysis) -> Option<Reached> {
    let estimate = cell.estimate?;
    let seeds = match estimate.n {
        1 => Vec::new(),
        _ => cell.by_seed.values().map(|value| metric.scaled(*value)).collect(),
    };
    let spread = metric.scaled_range(&estimate, analysis.spread);
    Some(Reached { y: metric.scaled(estimate.mean), spread, seeds })
}

fn change(metric: Metric<'_>, cell: &Cell, analysis: &Analysis) -> Option<Reached> {
    let change = cell.change.as_ref()?;
    let estimate = change.ours?;
    let spread = metric.scaled_range(&estimate, analysis.spread);
    Some(Reached { y: metric.scaled(estimate.mean), spread, seeds: Vec::new() })
}

fn printed_change(cell: &Cell) -> Option<Reached> {
    Some(Reached { y: cell.change.as_ref()?.published?, spread: None, seeds: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;
    use crate::spec::sweep::SpreadKind;

    fn places(ticks: &[Tick]) -> Vec<(String, f64, Option<&str>)> {
        let rounded = |at: f64| (at * 100.0).round() / 100.0;
        ticks.iter().map(|t| (t.label.clone(), rounded(t.at), t.apart.as_deref())).collect()
    }

    #[test]
    fn no_average_at_all_stands_apart_from_the_averages() {
        let gathered = samples::tau_sweep();
        let figure = by_tau_base(&gathered, &analyse(&gathered)).unwrap();
        let expected = [
            ("0", 0.0, Some("online network")),
            ("0.9", 1.0, None),
            ("0.99", 2.0, None),
            ("0.999", 3.0, None),
            ("1", 4.0, Some("random network")),
        ];
        assert_eq!(places(&figure.ticks), expected.map(|(l, at, why)| (l.to_owned(), at, why)));
    }

    #[test]
    fn wide_ranges_are_logarithmic_and_nothing_stands_apart() {
        let gathered = samples::rate_sweep();
        let analysis = analyse(&gathered);
        let figure = by_setting(&gathered, &analysis, "optimizer.weight_decay").unwrap();
        assert_eq!(figure.heading.file, "accuracy-by-optimizer-weight-decay");
        let apart: Vec<bool> = figure.ticks.iter().map(|tick| tick.apart.is_some()).collect();
        assert_eq!(apart, [true, false, false, false, false]);
        assert!(figure.ticks.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert!(matches!(Scale::of([1.0, 2.0, 3.0].into_iter()), Scale::Linear));
        assert!(matches!(Scale::of([-1.0, 200.0].into_iter()), Scale::Linear));
        assert_eq!(figure.panels.len(), 2, "the table has a baseline to compare with");
    }

    #[test]
    fn spreads_are_of_the_kind_asked_for_and_are_named() {
        let mut gathered = samples::rate_sweep();
        for (kind, words) in [
            (SpreadKind::Sd, "one standard deviation"),
            (SpreadKind::T95, "Student's t."),
            (SpreadKind::Bca95, "BCa bootstrap"),
        ] {
            gathered.sweep.report_spread = kind;
            let analysis = analyse(&gathered);
            let figure = by_setting(&gathered, &analysis, "optimizer.weight_decay").unwrap();
            assert!(figure.heading.caption.contains(words), "{}", figure.heading.caption);
            let estimate = analysis.cells[2].estimate.unwrap();
            let (low, high) = figure.panels[0].lines[0].points[2].spread.unwrap();
            let expected = estimate.range(kind).unwrap();
            assert_eq!((low, high), (expected.0 * 100.0, expected.1 * 100.0));
        }
    }
}
