//! What came out, in sentences. Says only what the tables say too, and claims nothing that one seed
//! cannot show.

use super::analysis::Analysis;
use super::cell::{Cell, Change};
use super::entry;
use super::estimate::Estimate;
use super::metric::Metric;
use super::reference::Reference;
use super::reproduction::table as reproduction;
use super::significance::LEVEL;
use super::words;

/// Returns the sentences at the top of a report.
pub(super) fn sentences(analysis: &Analysis) -> Vec<String> {
    let mut sentences = vec![progress(analysis)];
    sentences.extend(best(analysis));
    let methods = methods(analysis);
    sentences.extend(methods.iter().filter_map(|method| above_floor(analysis, method)));
    sentences.extend(methods.iter().flat_map(|method| extremes(analysis, method)));
    sentences.extend(reproduction::verdicts(analysis));
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
    let of = over_seeds(metric, estimate);
    Some(format!("The highest {} is {value}, by {name} ({of}).", metric.words()))
}

/// `mean of 3 seeds, standard deviation 1.9`.
fn over_seeds(metric: Metric<'_>, estimate: Estimate) -> String {
    match entry::sd(metric, estimate) {
        Some(sd) => format!("mean of {} seeds, standard deviation {sd}", estimate.n),
        None => "one seed".to_owned(),
    }
}

/// How many settings of a method reach more than the untrained encoder: with several seeds, by the
/// lower end of the 95 % interval of what training added.
fn above_floor(analysis: &Analysis, method: &Method<'_>) -> Option<String> {
    let metric = Metric(&analysis.metric);
    let (kind, floor) = analysis.floors.highest(&analysis.metric)?;
    let known: Vec<(Estimate, Estimate)> =
        method.cells.iter().filter_map(|cell| Some((cell.estimate?, cell.above_floor?))).collect();
    let best = known.iter().map(|(own, _)| own.mean).max_by(f64::total_cmp)?;
    let several = known.iter().any(|(_, added)| added.n > 1);
    // Beside settings of several seeds, one of a single seed shows nothing.
    let lower_end = |added: &Estimate| match added.interval() {
        Some((low, _)) => low,
        None if several => f64::NEG_INFINITY,
        None => added.mean,
    };
    let above = known.iter().filter(|(_, added)| lower_end(added) > 0.0);
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
    let by = match several {
        true => " by the 95 % interval of the difference, seed by seed, uncorrected",
        false => " by one seed, which may be chance",
    };
    let upper_end = |added: &Estimate| added.interval().map_or(f64::INFINITY, |(_, high)| high);
    let below = match known.iter().filter(|(_, added)| upper_end(added) < 0.0).count() {
        0 => String::new(),
        1 => "; 1 is below it by the same measure".to_owned(),
        many => format!("; {many} are below it by the same measure"),
    };
    let level = format!(
        "the {} ({}, {})",
        kind.words(),
        metric.shown_with_unit(floor.mean),
        over_seeds(metric, floor)
    );
    let single = known.iter().filter(|(_, added)| several && added.n == 1).count();
    let single = match single {
        0 => String::new(),
        1 => "; one setting of a single seed cannot show it".to_owned(),
        many => format!("; {many} settings of a single seed cannot show it"),
    };
    Some(format!("{who} above {level}{by}{told}{below}{single}."))
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
        .then(|| format!("No {} has a mean below that of {reference}.", method.setting()));
    below.or(nothing_below).into_iter().chain(above).collect()
}

/// A setting with its distance to the reference.
struct Changed<'a> {
    cell: &'a Cell,
    change: &'a Change,
    ours: Estimate,
}

fn changed(cell: &Cell) -> Option<Changed<'_>> {
    let change = cell.change.as_ref().filter(|change| !change.is_reference)?;
    Some(Changed { cell, change, ours: change.ours? })
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
    sentence += &certainty_of(metric, analysis, changed);
    if let Some(paper) = changed.change.published {
        let paper = Metric("top1").shown_change(paper / 100.0);
        sentence += &format!("; in the paper {paper} points");
    }
    sentence + "."
}

/// ` (95 % interval [2.9, 8.6], n = 3; corrected p = 0.14, so it may be chance)`.
fn certainty_of(metric: Metric<'_>, analysis: &Analysis, changed: &Changed<'_>) -> String {
    let ours = changed.ours;
    let Some(interval) = entry::interval(metric, ours, analysis.spread) else {
        return match ours.n {
            1 => " (one seed)".to_owned(),
            n => format!(" (equal over {n} seeds, so it has no interval)"),
        };
    };
    let test = match changed.change.test {
        Some(test) if test.holm < LEVEL => format!("corrected p {}", equals(test.holm)),
        Some(test) => format!("corrected p {}, so it may be chance", equals(test.holm)),
        None => "untested".to_owned(),
    };
    format!(" (95 % interval {interval}, n = {}; {test})", ours.n)
}

/// `= 0.14`, `< 0.001`.
fn equals(p: f64) -> String {
    let text = entry::p(p);
    if text.starts_with('<') { text } else { format!("= {text}") }
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
        let level = "the untrained encoder with calibrated BatchNorm (43.3 %, mean of 3 seeds, \
                     standard deviation 0.1)";
        assert_eq!(
            told(&samples::tau_sweep(), "4 of 5"),
            [format!(
                "4 of 5 BYOL settings are above {level} by the 95 % interval of the difference, \
                 seed by seed, uncorrected; 1 is below it by the same measure."
            )]
        );
        let mut low = samples::removal_sweep();
        for row in &mut low.finals {
            row.values.insert("linear_top1".to_owned(), 0.4);
        }
        assert_eq!(
            told(&low, "No BYOL setting is above"),
            [
                "No BYOL setting is above the untrained encoder with calibrated BatchNorm (43.2 %, one seed) \
              by one seed, which may be chance; the highest has 40.0 %."
            ]
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
        assert_eq!(
            told(&sample.0, "No BYOL setting has a mean below that of the largest batch").len(),
            1
        );
        assert_eq!(
            told(&sample.0, "BYOL is furthest"),
            ["BYOL is furthest above the largest batch in the setting “batch size 128”: +5.0 \
              points (95 % interval [−58.5, 68.5], n = 2; corrected p = 0.50, so it may be chance); \
              in the paper −2.2 points."]
        );
    }

    /// An interval away from 0 among many is no finding: Holm's correction decides.
    #[test]
    fn the_extreme_of_many_may_be_chance_although_its_interval_is_away_from_0() {
        let mut sample = Sample::new("many", None, &[]);
        for (arm, by_seed) in [
            ("baseline", [0.5, 0.6, 0.55]),
            ("best", [0.53, 0.64, 0.60]),
            ("other", [0.5, 0.61, 0.54]),
            ("another", [0.49, 0.6, 0.56]),
        ] {
            for (seed, top1) in (0..).zip(by_seed) {
                let mut run = samples::run("byol", 64, seed);
                run.warmup_epochs = arm.len() as f64;
                sample.done(samples::arm(arm, None, json!({})), run, top1);
            }
        }
        let told = told(&sample.0, "BYOL is furthest above");
        let expected = "“best”: +4.0 points (95 % interval [1.5, 6.5], n = 3; corrected p = 0.061, \
                        so it may be chance).";
        assert!(told[0].ends_with(expected), "{told:?}");
    }

    #[test]
    fn a_single_seed_beside_several_shows_nothing() {
        let told = told(&samples::batch_sweep(), "4 of 5 SimCLR");
        assert!(told[0].ends_with("uncorrected; one setting of a single seed cannot show it."));
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
