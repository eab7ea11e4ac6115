//! What came out, in sentences. Says only what the tables say too, and claims nothing that one seed
//! cannot show.

use super::analysis::Analysis;
use super::cell::{Cell, Change};
use super::estimate::Estimate;
use super::metric::Metric;
use super::words;

/// Returns the sentences at the top of a report.
pub(super) fn sentences(analysis: &Analysis) -> Vec<String> {
    let mut sentences = vec![progress(analysis)];
    sentences.extend(best(analysis));
    let methods = methods(analysis);
    sentences.extend(methods.iter().filter_map(|method| above_floor(analysis, method)));
    sentences.extend(methods.iter().filter_map(|method| largest_fall(analysis, method)));
    sentences.extend(certainty(analysis));
    sentences
}

/// The cells of a method.
struct Method<'a> {
    /// As the paper writes it; `None` where the cells' method has no name.
    name: Option<String>,
    cells: Vec<&'a Cell>,
}

impl Method<'_> {
    /// `BYOL is`, to be gone on with.
    fn subject(&self) -> String {
        self.name.as_ref().map_or_else(|| "The sweep is".to_owned(), |name| format!("{name} is"))
    }

    /// `BYOL setting`, to be counted.
    fn setting(&self) -> String {
        self.name.as_ref().map_or_else(|| "setting".to_owned(), |name| format!("{name} setting"))
    }
}

fn methods(analysis: &Analysis) -> Vec<Method<'_>> {
    let mut methods: Vec<Method<'_>> = Vec::new();
    for cell in &analysis.cells {
        let name = cell.method.as_deref().map(words::method);
        match methods.iter_mut().find(|method| method.name == name) {
            Some(method) => method.cells.push(cell),
            None => methods.push(Method { name, cells: vec![cell] }),
        }
    }
    methods
}

fn progress(analysis: &Analysis) -> String {
    let (done, all) = (analysis.with_result, analysis.trials);
    let mut sentence = match all - done {
        0 => format!("All {all} trials have a result"),
        _ if done == 1 => format!("1 of {all} trials has a result"),
        _ => format!("{done} of {all} trials have a result"),
    };
    if analysis.diverged() > 0 {
        sentence += &format!("; {} diverged", analysis.diverged());
    }
    sentence + "."
}

fn best(analysis: &Analysis) -> Option<String> {
    let metric = Metric(&analysis.metric);
    let known = analysis.cells.iter().filter_map(|cell| Some((cell, cell.estimate?)));
    let (cell, estimate) = known.max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))?;
    let (name, value) = (cell.name(), metric.shown_with_unit(estimate.mean));
    let of = match estimate.n {
        1 => "one seed".to_owned(),
        n => format!("mean of {n} seeds"),
    };
    Some(format!("The highest {} is {value}, by {name} ({of}).", metric.words()))
}

/// How many settings of a method reach more than the untrained encoder: with several seeds, by the
/// lower end of their 95 % interval.
fn above_floor(analysis: &Analysis, method: &Method<'_>) -> Option<String> {
    let metric = Metric(&analysis.metric);
    let (kind, floor) = analysis.floors.highest(&analysis.metric)?;
    let known: Vec<_> = method.cells.iter().filter_map(|cell| cell.estimate).collect();
    let best = known.iter().map(|estimate| estimate.mean).max_by(f64::total_cmp)?;
    let lower_end = |estimate: &Estimate| estimate.interval().map_or(estimate.mean, |(low, _)| low);
    let above = known.iter().filter(|estimate| lower_end(estimate) > floor.mean);
    let setting = method.setting();
    let (who, told) = match (above.count(), known.len()) {
        (0, _) => {
            let best = metric.shown_with_unit(best);
            (format!("No {setting} is"), format!("; the highest has {best}"))
        }
        (above, all) if above < all => {
            let are = if above == 1 { "is" } else { "are" };
            (format!("{above} of {all} {setting}s {are}"), String::new())
        }
        (1, _) => (format!("The one {setting} is"), String::new()),
        (all, _) => (format!("All {all} {setting}s are"), String::new()),
    };
    let by = if known.iter().any(|e| e.n > 1) { " by the 95 % interval of the mean" } else { "" };
    let level = format!("the {} ({})", kind.words(), metric.shown_with_unit(floor.mean));
    Some(format!("{who} above {level}{by}{told}."))
}

/// The setting of a method that is furthest below its reference.
fn largest_fall(analysis: &Analysis, method: &Method<'_>) -> Option<String> {
    let changed = method.cells.iter().filter_map(|cell| {
        let change = own_change(cell)?;
        Some((cell, change, change.ours?))
    });
    let (cell, change, ours) = changed.min_by(|a, b| a.2.mean.total_cmp(&b.2.mean))?;
    let metric = Metric(&analysis.metric);
    let reference = analysis.reference?.words();
    if ours.mean >= 0.0 {
        return Some(format!("No {} is below {reference}.", method.setting()));
    }
    let fall = metric.shown_change(ours.mean);
    let unit = metric.difference_unit();
    let mut sentence = format!(
        "{} furthest below {reference} in the setting “{}”: {fall}{unit}",
        method.subject(),
        cell.name_without_method()
    );
    if let Some((low, high)) = ours.interval() {
        let may_be_none = if high >= 0.0 { ", so it may be chance" } else { "" };
        let (low, high) = (metric.shown(low), metric.shown(high));
        sentence += &format!(" (95 % interval [{low}, {high}]{may_be_none})");
    }
    if let Some(paper) = change.published {
        let paper = Metric("top1").shown_change(paper / 100.0);
        sentence += &format!("; in the paper {paper} points");
    }
    Some(sentence + ".")
}

fn own_change(cell: &Cell) -> Option<&Change> {
    cell.change.as_ref().filter(|change| !change.is_reference)
}

fn certainty(analysis: &Analysis) -> Option<String> {
    let sizes = || analysis.cells.iter().filter_map(|cell| cell.estimate).map(|e| e.n);
    let which = match (sizes().filter(|n| *n == 1).count(), sizes().count()) {
        (0, _) => return None,
        (one, all) if one == all => "Every setting has",
        (_, _) => "Some settings have",
    };
    Some(format!("{which} one seed only: the spread is unknown, and differences may be chance."))
}
