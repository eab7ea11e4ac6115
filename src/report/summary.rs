//! What came out, in sentences. Says only what the tables say too, and claims nothing that one seed
//! cannot show.

use super::analysis::Analysis;
use super::cell::Cell;
use super::estimate::Estimate;
use super::metric::Metric;
use super::reference::Reference;
use super::words;

/// Returns the sentences at the top of a report.
pub(super) fn sentences(analysis: &Analysis) -> Vec<String> {
    let mut sentences = vec![progress(analysis)];
    sentences.extend(best(analysis));
    let methods = methods(analysis);
    sentences.extend(methods.iter().filter_map(|method| above_floor(analysis, method)));
    sentences.extend(methods.iter().flat_map(|method| extremes(analysis, method)));
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
    // Where some cells are between the methods, all are told as one.
    if analysis.cells.iter().any(|cell| cell.method.is_none()) {
        return vec![Method { name: None, cells: analysis.cells.iter().collect() }];
    }
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
    if analysis.collapsed() > 0 {
        sentence += &format!("; {} collapsed", analysis.collapsed());
    }
    if analysis.stopped_early() > 0 {
        sentence += &format!("; {} stopped early", analysis.stopped_early());
    }
    sentence + "."
}

fn best(analysis: &Analysis) -> Option<String> {
    let metric = Metric(&analysis.metric);
    let known = analysis.cells.iter().filter_map(|cell| Some((cell, cell.estimate?)));
    let (cell, estimate) = known.max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))?;
    let mark = if cell.collapsed > 0 { " ‡" } else { "" };
    let (name, value) = (cell.name() + mark, metric.shown_with_unit(estimate.mean));
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

/// The settings of a method that are furthest below and above its reference.
fn extremes(analysis: &Analysis, method: &Method<'_>) -> Vec<String> {
    let Some(reference) = analysis.reference.map(Reference::words) else { return Vec::new() };
    let changed: Vec<Changed<'_>> = method.cells.iter().filter_map(|cell| changed(cell)).collect();
    let lowest = changed.iter().min_by(|a, b| a.ours.mean.total_cmp(&b.ours.mean));
    let highest = changed.iter().max_by(|a, b| a.ours.mean.total_cmp(&b.ours.mean));
    let below = lowest.filter(|lowest| lowest.ours.mean < 0.0).map(|lowest| {
        let what = format!("furthest below {reference}");
        extreme(analysis, method, lowest, &what)
    });
    let above = highest.filter(|highest| highest.ours.mean > 0.0).map(|highest| {
        let what = format!("furthest above {reference}");
        extreme(analysis, method, highest, &what)
    });
    let nothing_below = (below.is_none() && !changed.is_empty())
        .then(|| format!("No {} is below {reference}.", method.setting()));
    below.or(nothing_below).into_iter().chain(above).collect()
}

/// A setting with its distance to the reference.
struct Changed<'a> {
    cell: &'a Cell,
    ours: Estimate,
    /// Percentage points.
    published: Option<f64>,
}

fn changed(cell: &Cell) -> Option<Changed<'_>> {
    let change = cell.change.as_ref().filter(|change| !change.is_reference)?;
    Some(Changed { cell, ours: change.ours?, published: change.published })
}

fn extreme(analysis: &Analysis, method: &Method<'_>, changed: &Changed<'_>, what: &str) -> String {
    let metric = Metric(&analysis.metric);
    let ours = changed.ours;
    let mut sentence = format!(
        "{} {what} in the setting “{}”: {}{}",
        method.subject(),
        changed.cell.name_without_method(),
        metric.shown_change(ours.mean),
        metric.difference_unit()
    );
    if let Some((low, high)) = ours.interval() {
        let may_be_none = if low <= 0.0 && high >= 0.0 { ", so it may be chance" } else { "" };
        let (low, high) = (metric.shown(low), metric.shown(high));
        sentence += &format!(" (95 % interval [{low}, {high}]{may_be_none})");
    }
    if let Some(paper) = changed.published {
        let paper = Metric("top1").shown_change(paper / 100.0);
        sentence += &format!("; in the paper {paper} points");
    }
    sentence + "."
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::analysis::analyse;
    use super::super::gathered::Gathered;
    use super::super::samples::{self, Sample};
    use super::*;

    fn told(gathered: &Gathered, start: &str) -> Vec<String> {
        let mut sentences = sentences(&analyse(gathered));
        sentences.retain(|sentence| sentence.starts_with(start));
        sentences
    }

    #[test]
    fn settings_that_an_untrained_encoder_matches_are_counted_out() {
        let level = "the untrained encoder with calibrated BatchNorm (43.3 %)";
        assert_eq!(
            told(&samples::tau_sweep(), "4 of 5"),
            [format!("4 of 5 BYOL settings are above {level} by the 95 % interval of the mean.")]
        );
        let mut low = samples::removal_sweep();
        for row in &mut low.finals {
            row.values.insert("linear_top1".to_owned(), 0.4);
        }
        assert_eq!(
            told(&low, "No BYOL setting is above"),
            ["No BYOL setting is above the untrained encoder with calibrated BatchNorm (43.2 %); \
              the highest has 40.0 %."]
        );
    }

    #[test]
    fn what_lies_above_the_reference_is_told_beside_the_paper() {
        let mut sample = Sample::new("up", Some("ablation_batch_size"), &["batch_size"]);
        for (batch_size, by_seed) in [(256, [0.5, 0.6]), (64, [0.52, 0.61]), (128, [0.5, 0.7])] {
            for (seed, top1) in (0..).zip(by_seed) {
                let label = samples::label(json!({ "batch_size": batch_size }));
                sample.done(label, samples::run("byol", batch_size, seed), top1);
            }
        }
        assert_eq!(told(&sample.0, "No BYOL setting is below").len(), 1);
        assert_eq!(
            told(&sample.0, "BYOL is furthest"),
            ["BYOL is furthest above the largest batch in the setting “batch size 128”: +5.0 \
              points (95 % interval [−58.5, 68.5], so it may be chance); in the paper −2.2 points."]
        );
    }

    #[test]
    fn one_seed_claims_no_spread() {
        let sentences = sentences(&analyse(&samples::augmentation_sweep(1)));
        let last = "Every setting has one seed only: the spread is unknown, and differences may be \
                    chance.";
        assert_eq!(sentences.last().map(String::as_str), Some(last));
        assert!(!sentences.iter().any(|sentence| sentence.contains("interval")));
    }
}
