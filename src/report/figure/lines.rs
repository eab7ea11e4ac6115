//! Accuracy against one setting, and its change beside the paper's.

use std::collections::BTreeSet;

use super::{
    Heading, Level, Line, LineFigure, MOST_LINES, Origin, Panel, Point, Tick, has_spread, subtitle,
};
use crate::report::analysis::Analysis;
use crate::report::cell::{Cell, name};
use crate::report::gathered::Gathered;
use crate::report::imports;
use crate::report::metric::Metric;
use crate::report::words::{self, capitalised};

/// How the values of a setting lie on their axis.
#[derive(Clone, Copy)]
enum Scale {
    /// By their logarithm to base 2.
    Log2,
    /// Equally spaced, in rising order.
    Ranked,
}

/// A figure against one axis of a sweep.
struct Subject {
    axis: &'static str,
    file: &'static str,
    words: &'static str,
    x_label: String,
    scale: Scale,
}

/// The paper's Figure 3(a).
pub(super) fn by_batch_size(gathered: &Gathered, analysis: &Analysis) -> Option<LineFigure> {
    let subject = Subject {
        axis: "batch_size",
        file: "accuracy-by-batch-size",
        words: "batch size",
        x_label: batch_words(gathered),
        scale: Scale::Log2,
    };
    subject.figure(gathered, analysis)
}

/// The paper's Table 5(a); 0 is the online network itself, 1 a constant random network.
pub(super) fn by_tau_base(gathered: &Gathered, analysis: &Analysis) -> Option<LineFigure> {
    let subject = Subject {
        axis: "tau_base",
        file: "accuracy-by-tau-base",
        words: "tau base",
        x_label: "tau base (0: online network, 1: random network)".to_owned(),
        scale: Scale::Ranked,
    };
    subject.figure(gathered, analysis)
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

impl Subject {
    fn figure(&self, gathered: &Gathered, analysis: &Analysis) -> Option<LineFigure> {
        if !gathered.sweep.axes.iter().any(|axis| axis == self.axis) {
            return None;
        }
        let metric = Metric(&analysis.metric);
        let ticks = self.ticks(analysis);
        let mut values = self.lines(analysis, &ticks, Origin::Ours, |cell| value(metric, cell));
        if values.is_empty() {
            return None;
        }
        values.extend(self.imported(gathered, analysis, metric, &ticks));
        let levels = levels(analysis, metric);
        let mut panels = vec![Panel { y_label: metric.words_and_unit(), lines: values, levels }];
        panels.extend(self.changes(analysis, metric, &ticks));
        let title = format!("{} by {}", capitalised(&metric.words()), self.words);
        Some(LineFigure {
            heading: Heading {
                file: self.file.to_owned(),
                title,
                subtitle: subtitle(gathered, analysis),
                caption: self.caption(analysis, &panels),
            },
            x_label: self.x_label.clone(),
            ticks,
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
                Some((metric.scaled(value), None, Vec::new()))
            };
            for line in self.lines(analysis, ticks, Origin::Imported, value) {
                lines.push(Line { name: format!("{} ({import})", line.name), ..line });
            }
        }
        let ours = self.lines(analysis, ticks, Origin::Ours, |cell| value(metric, cell)).len();
        lines.truncate(MOST_LINES.saturating_sub(ours));
        for (line, style) in lines.iter_mut().zip(ours..) {
            line.style = style;
        }
        lines
    }

    fn changes(&self, analysis: &Analysis, metric: Metric<'_>, ticks: &[Tick]) -> Option<Panel> {
        let reference = analysis.reference.filter(|r| r.axis() == Some(self.axis))?;
        let mut lines = self.lines(analysis, ticks, Origin::Ours, |cell| change(metric, cell));
        // A lone reference is 0 by definition and tells nothing of the paper.
        let published = self.lines(analysis, ticks, Origin::Paper, printed_change).into_iter();
        lines.extend(published.filter(|line| line.points.len() > 1));
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
        let place = |(rank, (number, label)): (usize, (f64, String))| Tick {
            at: match self.scale {
                Scale::Log2 => number.max(f64::MIN_POSITIVE).log2(),
                Scale::Ranked => rank as f64,
            },
            label,
        };
        values.into_iter().enumerate().map(place).collect()
    }

    fn lines(
        &self,
        analysis: &Analysis,
        ticks: &[Tick],
        origin: Origin,
        y: impl Fn(&Cell) -> Option<(f64, Option<f64>, Vec<f64>)>,
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
            if let Some((y, spread, seeds)) = y(cell) {
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

    fn caption(&self, analysis: &Analysis, panels: &[Panel]) -> String {
        let title = format!("{} by {}", capitalised(&Metric(&analysis.metric).words()), self.words);
        let mut caption = if has_spread(analysis) {
            format!(
                "{title}. Points are means over seeds, small dots the seeds, bars one standard deviation."
            )
        } else {
            format!("{title}, one seed: the spread is unknown.")
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

fn value(metric: Metric<'_>, cell: &Cell) -> Option<(f64, Option<f64>, Vec<f64>)> {
    let estimate = cell.estimate?;
    let seeds = match estimate.n {
        1 => Vec::new(),
        _ => cell.by_seed.values().map(|value| metric.scaled(*value)).collect(),
    };
    Some((metric.scaled(estimate.mean), estimate.sd().map(|sd| metric.scaled(sd)), seeds))
}

fn change(metric: Metric<'_>, cell: &Cell) -> Option<(f64, Option<f64>, Vec<f64>)> {
    let change = cell.change.as_ref()?;
    let estimate = change.ours?;
    let spread = estimate.sd().filter(|_| !change.is_reference);
    Some((metric.scaled(estimate.mean), spread.map(|sd| metric.scaled(sd)), Vec::new()))
}

fn printed_change(cell: &Cell) -> Option<(f64, Option<f64>, Vec<f64>)> {
    Some((cell.change.as_ref()?.published?, None, Vec::new()))
}

fn levels(analysis: &Analysis, metric: Metric<'_>) -> Vec<Level> {
    let floor = analysis.floors.highest(&analysis.metric);
    let floor = floor.map(|(kind, floor)| Level {
        at: metric.scaled(floor.mean),
        label: kind.words().to_owned(),
    });
    let chance = analysis
        .chance(&analysis.metric)
        .map(|chance| Level { at: metric.scaled(chance), label: "guessing".to_owned() });
    floor.into_iter().chain(chance).collect()
}
