//! The learning rate and tau over the epochs, as the settings ask for them: computed, not measured.

use std::collections::{BTreeMap, BTreeSet};

use super::{CurveFigure, Heading, Line, MOST_LINES, Origin, Panel, Point};
use crate::ids::TrainKey;
use crate::plan::Label;
use crate::report::analysis::Analysis;
use crate::report::cell::{Cell, common_label, common_name, label_words, name_and_more};
use crate::report::gathered::Gathered;
use crate::spec::run::{RunSpec, Source, Target};
use crate::spec::schedule;

/// Points of a course.
const POINTS: u64 = 64;
/// Training images where only the data set itself could say how many: the course over the epochs
/// does not depend on it by more than an update.
const SOME_IMAGES: u64 = 50_000;
/// Courses of a panel: with those of the other, and the one that all share, no more than there are
/// looks of lines.
const MOST_COURSES: usize = MOST_LINES / 2;
/// A course that all settings share.
const ALL: &str = "all settings";
/// Its style, where the others leave it free.
const SHARED: usize = 6;

type Course = Vec<(f64, f64)>;

/// Settings that share a course.
struct Shared<'a> {
    course: Course,
    cells: Vec<&'a Cell>,
}

/// A panel a schedule, a line for each course that some setting has.
pub(super) fn of_all(gathered: &Gathered, analysis: &Analysis) -> Option<CurveFigure> {
    let runs: BTreeMap<&TrainKey, &RunSpec> =
        gathered.trials.iter().map(|trial| (&trial.train_key, &trial.run)).collect();
    let cells: Vec<(&Cell, &RunSpec)> = analysis
        .cells
        .iter()
        .filter_map(|cell| Some((cell, *runs.get(cell.train_keys.first()?)?)))
        .collect();
    let rates = shared(cells.iter().map(|(cell, run)| (*cell, Some(rate(run)))));
    let taus = shared(cells.iter().map(|(cell, run)| (*cell, tau(run))));
    let left_out = rates.len().max(taus.len()).saturating_sub(MOST_COURSES);
    let all = cells.len();
    let named = [("learning rate", named(&rates, all)), ("tau", named(&taus, all))];
    let styles = styles(named.iter().map(|(_, courses)| courses.as_slice()));
    let panel = |(name, courses): &(&str, Vec<(String, &Course)>)| Panel {
        y_label: (*name).to_owned(),
        lines: lines(courses, &styles),
        levels: Vec::new(),
    };
    let panels: Vec<Panel> =
        named.iter().filter(|(_, courses)| !courses.is_empty()).map(panel).collect();
    let title = match panels.len() {
        0 => return None,
        1 => "Schedule of the learning rate",
        _ => "Schedules of the learning rate and of tau",
    };
    let mut caption = format!("{title}, as the settings ask for them.");
    if left_out > 0 {
        caption += &format!(" The first {MOST_COURSES} courses; {left_out} more are left out.");
    }
    Some(CurveFigure {
        heading: Heading {
            file: "schedules".to_owned(),
            title: title.to_owned(),
            subtitle: crate::report::settings::in_short(gathered),
            caption,
        },
        x_label: "epoch".to_owned(),
        panels,
    })
}

/// Gathers the settings of each course.
fn shared<'a>(cells: impl Iterator<Item = (&'a Cell, Option<Course>)>) -> Vec<Shared<'a>> {
    let mut all: Vec<Shared<'a>> = Vec::new();
    for (cell, course) in cells {
        let Some(course) = course else { continue };
        match all.iter_mut().find(|known| known.course == course) {
            Some(known) => known.cells.push(cell),
            None => all.push(Shared { course, cells: vec![cell] }),
        }
    }
    all
}

/// The courses that there is room for, with their names.
fn named<'a>(courses: &'a [Shared<'_>], all: usize) -> Vec<(String, &'a Course)> {
    let courses_alone = courses.iter().map(|one| &one.course);
    names(courses, all).into_iter().zip(courses_alone).take(MOST_COURSES).collect()
}

/// A style a name, the same in all panels; what all settings share has one of its own.
fn styles<'a>(
    panels: impl Iterator<Item = &'a [(String, &'a Course)]>,
) -> BTreeMap<&'a str, usize> {
    let mut styles = BTreeMap::new();
    let names = panels.flatten().map(|(name, _)| name.as_str());
    for name in names.filter(|name| *name != ALL) {
        let next = styles.len();
        styles.entry(name).or_insert(next);
    }
    styles.insert(ALL, SHARED.max(styles.len()));
    styles
}

fn lines(courses: &[(String, &Course)], styles: &BTreeMap<&str, usize>) -> Vec<Line> {
    let line = |(name, course): &(String, &Course)| Line {
        name: name.clone(),
        style: styles.get(name.as_str()).copied().unwrap_or(SHARED),
        origin: Origin::Ours,
        points: course.iter().map(|(x, y)| Point::plain(*x, *y)).collect(),
    };
    courses.iter().map(line).collect()
}

/// What tells the settings of each course from those of the others; there are `all` settings.
fn names(courses: &[Shared<'_>], all: usize) -> Vec<String> {
    if let [one] = courses {
        let name = match one.cells.len() == all {
            true => ALL.to_owned(),
            false => common_name(&one.cells).unwrap_or_else(|| name_and_more(&one.cells)),
        };
        return vec![name];
    }
    let common = |one: &Shared<'_>| -> Label {
        let mut label = common_label(&one.cells).unwrap_or_default();
        label.arm = label.arm.filter(|_| one.cells.len() == 1);
        label
    };
    let labels: Vec<Label> = courses.iter().map(common).collect();
    let differs = |axis: &str| {
        let values: Vec<_> = labels.iter().map(|label| label.axes.get(axis)).collect();
        values.iter().any(|value| *value != values[0])
    };
    let name = |(one, label): (&Shared<'_>, &Label)| {
        let mut label = label.clone();
        label.axes.retain(|axis, _| differs(axis));
        label_words(&label).unwrap_or_else(|| name_and_more(&one.cells))
    };
    let short: Vec<String> = courses.iter().zip(&labels).map(name).collect();
    let is_of_one = |name: &String| short.iter().filter(|other| *other == name).count() == 1;
    let told = |(one, name): (&Shared<'_>, &String)| {
        if is_of_one(name) { name.clone() } else { name_and_more(&one.cells) }
    };
    courses.iter().zip(&short).map(told).collect()
}

fn rate(run: &RunSpec) -> Course {
    let (images, peak) =
        (images(run), schedule::peak_learning_rate(&run.optimizer, run.update_batch_size));
    let warmup = schedule::warmup_updates(run, images);
    // It bends at the end of the warm-up.
    course(run, Some(warmup), |k, updates| schedule::learning_rate(k, updates, warmup, peak))
}

fn tau(run: &RunSpec) -> Option<Course> {
    match run.target {
        Target::Average { tau_base, schedule } => {
            Some(course(run, None, |k, updates| schedule::tau(k, updates, tau_base, schedule)))
        }
        Target::Online => None,
    }
}

/// A schedule at evenly spaced updates, and where it bends.
fn course(run: &RunSpec, bend: Option<u64>, value: impl Fn(u64, u64) -> f64) -> Course {
    let updates = run.updates(images(run));
    let even = (0..=POINTS).map(|at| at * updates / POINTS);
    let places: BTreeSet<u64> = even.chain(bend.map(|bend| bend.min(updates))).collect();
    let epoch = |k: u64| k as f64 / updates.max(1) as f64 * f64::from(run.epochs);
    places.into_iter().map(|k| (epoch(k), value(k, updates))).collect()
}

fn images(run: &RunSpec) -> u64 {
    let all = match (&run.data.subset, &run.data.source) {
        (Some(subset), _) => u64::from(subset.images),
        (None, Source::Shapes { train, .. }) => u64::from(*train),
        (None, Source::Cifar10) => 50_000,
        (None, Source::Idx { .. } | Source::ImageFolder { .. }) => SOME_IMAGES,
    };
    all.max(u64::from(run.update_batch_size))
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    fn figure(gathered: &Gathered) -> CurveFigure {
        of_all(gathered, &analyse(gathered)).unwrap()
    }

    fn names(panel: &Panel) -> Vec<&str> {
        panel.lines.iter().map(|line| line.name.as_str()).collect()
    }

    #[test]
    fn every_tau_has_its_course_and_the_shared_rate_has_one() {
        let figure = figure(&samples::tau_sweep());
        assert_eq!(figure.panels.len(), 2);
        assert_eq!(names(&figure.panels[0]), ["all settings"]);
        assert_eq!(
            names(&figure.panels[1]),
            ["tau base 0", "tau base 0.9", "tau base 0.99", "tau base 0.999", "tau base 1"]
        );
        let course = &figure.panels[1].lines[2].points;
        assert_eq!((course[0].y, course.last().unwrap().y), (0.99, 1.0));
    }

    #[test]
    fn the_rate_rises_through_the_warm_up_and_falls_to_nothing() {
        let figure = figure(&samples::tau_sweep());
        let course = &figure.panels[0].lines[0].points;
        let peak = course.iter().max_by(|a, b| a.y.total_cmp(&b.y)).unwrap();
        // 0.3 at 256 images an update, 1024 here, after 10 of 100 epochs.
        assert!((peak.y - 1.2).abs() < 1e-3 && (peak.x - 10.0).abs() < 0.1, "{peak:?}");
        assert_eq!((course[0].y, course.last().unwrap().y), (0.0, 0.0));
        assert_eq!(course.last().unwrap().x, 100.0);
    }

    #[test]
    fn each_schedule_is_named_by_what_it_depends_on() {
        let figure = figure(&samples::search_sweep(120));
        let rates: Vec<&str> = names(&figure.panels[0]);
        assert!(rates.iter().all(|name| !name.contains("tau")), "{rates:?}");
        let taus = names(&figure.panels[1]);
        assert_eq!(taus, ["tau base 0.9", "tau base 0.99", "tau base 0.996"]);
        let styles: BTreeSet<usize> =
            figure.panels.iter().flat_map(|panel| &panel.lines).map(|line| line.style).collect();
        assert_eq!(styles.len(), rates.len() + taus.len());
    }

    #[test]
    fn no_two_courses_are_called_the_same_and_no_two_names_look_the_same() {
        for gathered in samples::all() {
            let Some(figure) = of_all(&gathered, &analyse(&gathered)) else { continue };
            let mut styles = BTreeMap::new();
            for panel in &figure.panels {
                let unique: BTreeSet<&str> = names(panel).into_iter().collect();
                assert_eq!(unique.len(), panel.lines.len(), "{:?}", names(panel));
                styles.extend(panel.lines.iter().map(|line| (line.name.as_str(), line.style)));
            }
            let looks: BTreeSet<usize> = styles.values().copied().collect();
            assert_eq!(looks.len(), styles.len(), "{styles:?}");
            // Of so many colours and dashes.
            assert!(looks.iter().all(|look| *look < MOST_LINES), "{styles:?}");
        }
    }

    #[test]
    fn a_tau_that_no_setting_changes_has_one_course_whatever_the_warm_up_is() {
        let mut gathered = samples::augmentation_sweep(1);
        let first = gathered.trials[0].labels[0].arm.clone();
        for trial in &mut gathered.trials {
            let is_first = trial.labels[0].arm == first;
            trial.run.warmup_epochs = if is_first { 10.0 } else { 2.0 };
        }
        let figure = figure(&gathered);
        assert_eq!(figure.panels[0].lines.len(), 2, "{:?}", names(&figure.panels[0]));
        assert_eq!(names(&figure.panels[1]), ["BYOL"], "SimCLR has no tau");
    }

    #[test]
    fn without_a_moving_target_there_is_no_tau() {
        let mut sample = samples::Sample::new("simclr", None, &["batch_size"]);
        let label = samples::label(serde_json::json!({"batch_size": 256}));
        sample.done(label, samples::run("simclr", 256, 0), 0.5);
        let figure = figure(&sample.0);
        assert_eq!(figure.panels.len(), 1);
        assert_eq!(names(&figure.panels[0]), ["all settings"]);
    }
}
