//! What came out, in sentences. Says only what the tables say too.

use super::analysis::Analysis;
use super::cell::{Cell, Change};
use super::metric::Metric;

/// Returns the sentences at the top of a report.
pub(super) fn sentences(analysis: &Analysis) -> Vec<String> {
    let progress = format!("{} of {} trials have a result.", analysis.with_result, analysis.trials);
    let best = best(analysis);
    let falls = fallers(analysis).into_iter().map(|cell| fall(analysis, cell));
    [progress].into_iter().chain(best).chain(falls.flatten()).collect()
}

fn best(analysis: &Analysis) -> Option<String> {
    let metric = Metric(&analysis.metric);
    let known = analysis.cells.iter().filter_map(|cell| Some((cell, cell.estimate?)));
    let (cell, estimate) = known.max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))?;
    let unit = if metric.difference_unit().is_empty() { "" } else { " %" };
    let (name, value) = (cell.name(), metric.shown(estimate.mean));
    let of = match estimate.n {
        1 => "one seed".to_owned(),
        n => format!("mean of {n} seeds"),
    };
    Some(format!("The highest {} is {value}{unit}, by {name} ({of}).", metric.words()))
}

/// The cell with the largest fall of each method.
fn fallers(analysis: &Analysis) -> Vec<&Cell> {
    let mut fallers: Vec<(&Cell, f64)> = Vec::new();
    for cell in &analysis.cells {
        let Some(change) = own_change(cell).and_then(|change| change.ours) else { continue };
        match fallers.iter_mut().find(|(other, _)| other.method == cell.method) {
            Some(other) if change.mean < other.1 => *other = (cell, change.mean),
            Some(_) => {}
            None => fallers.push((cell, change.mean)),
        }
    }
    fallers.into_iter().filter(|(_, change)| *change < 0.0).map(|(cell, _)| cell).collect()
}

fn own_change(cell: &Cell) -> Option<&Change> {
    cell.change.as_ref().filter(|change| !change.is_reference)
}

fn fall(analysis: &Analysis, cell: &Cell) -> Option<String> {
    let metric = Metric(&analysis.metric);
    let change = own_change(cell)?;
    let ours = change.ours?;
    let mut sentence = format!(
        "{} is furthest below {}: {}{}",
        cell.name(),
        analysis.reference?.words(),
        metric.shown_change(ours.mean),
        metric.difference_unit()
    );
    if let Some((low, high)) = ours.interval() {
        let (low, high) = (metric.shown(low), metric.shown(high));
        sentence += &format!(", 95 % interval [{low}, {high}]");
    }
    if let Some(paper) = change.published {
        let paper = Metric("top1").shown_change(paper / 100.0);
        sentence += &format!("; in the paper {paper} points");
    }
    Some(format!("{sentence}."))
}
