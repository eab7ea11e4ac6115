//! Holds all charts, in both widths, to their layout: no words over others, nothing off the sheet,
//! whatever the figure shows.

use super::canvas::{Drawing, Mark};
use super::{Columns, drawing};
use crate::report::analysis::analyse;
use crate::report::figure::{Figure, Panel, figures};
use crate::report::gathered::{Gathered, SpentOn};
use crate::report::samples::{self, Sample};

/// Left, top, right, bottom.
type Area = (f64, f64, f64, f64);

/// What a line of words covers: from the top of capitals to below the base line.
fn areas(drawing: &Drawing) -> Vec<(&str, Area)> {
    let area = |mark| match mark {
        &Mark::Words { ref words, ref face, at: (left, base), .. } => {
            let (above, below) = face.reach();
            let right = left + face.width(words);
            Some((words.as_str(), (left, base - above, right, base + below)))
        }
        Mark::Polygon { .. } | Mark::Disc { .. } | Mark::Line { .. } | Mark::Picture { .. } => None,
    };
    drawing.marks.iter().filter_map(area).collect()
}

fn overlap(a: &Area, b: &Area) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

fn spots(mark: &Mark) -> Vec<(f64, f64)> {
    match mark {
        Mark::Polygon { corners, .. } => corners.clone(),
        Mark::Line { spots, .. } => spots.clone(),
        Mark::Disc { at: (x, y), radius, .. } => {
            vec![(x - radius, y - radius), (x + radius, y + radius)]
        }
        Mark::Picture { at: (x, y), side, .. } => vec![(*x, *y), (x + side, y + side)],
        Mark::Words { .. } => Vec::new(),
    }
}

/// What is wrong with the layout of a figure.
fn faults(figure: &Figure, what: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for columns in Columns::ALL {
        let drawing = drawing(figure, columns).unwrap();
        let place = format!("{what}, {} in {columns:?}", figure.heading().file);
        let (width, height) = (columns.width(), f64::from(drawing.height));
        let inside =
            |x: f64, y: f64| (3.0..=width - 3.0).contains(&x) && (3.0..=height - 3.0).contains(&y);
        let areas = areas(&drawing);
        for (at, (words, area)) in areas.iter().enumerate() {
            if !(inside(area.0, area.1) && inside(area.2, area.3)) {
                faults.push(format!("{place}: {words:?} leaves the sheet: {area:?}"));
            }
            for (others, _) in areas[at + 1..].iter().filter(|(_, other)| overlap(area, other)) {
                faults.push(format!("{place}: {words:?} and {others:?} are over each other"));
            }
        }
        for (x, y) in drawing.marks.iter().flat_map(spots).filter(|(x, y)| !inside(*x, *y)) {
            faults.push(format!("{place}: a mark leaves {width} by {height} at {x}, {y}"));
        }
    }
    faults
}

fn hold(figures: impl IntoIterator<Item = (Figure, String)>) {
    let faults: Vec<String> =
        figures.into_iter().flat_map(|(figure, what)| faults(&figure, &what)).collect();
    let shown: Vec<String> = faults.iter().take(30).cloned().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), shown.join("\n"));
}

fn figures_of(gathered: &Gathered) -> Vec<Figure> {
    figures(gathered, &analyse(gathered))
}

/// What becomes of a value.
type Change = fn(f64) -> f64;

/// The same figure with other values.
fn revalued(figure: &Figure, new: impl Fn(f64) -> f64) -> Figure {
    let ends = |spread: &mut Option<(f64, f64)>| {
        *spread = spread.map(|(low, high)| (new(low), new(high)));
    };
    let of_panels = |panels: &mut [Panel]| {
        for point in panels.iter_mut().flat_map(|p| &mut p.lines).flat_map(|l| &mut l.points) {
            point.y = new(point.y);
            ends(&mut point.spread);
            point.seeds.iter_mut().for_each(|seed| *seed = new(*seed));
        }
    };
    let mut figure = figure.clone();
    match &mut figure {
        Figure::Lines(figure) => of_panels(&mut figure.panels),
        Figure::Curves(figure) => of_panels(&mut figure.panels),
        Figure::Bars(figure) => {
            for bar in figure.rows.iter_mut().flat_map(|row| &mut row.bars) {
                bar.value = bar.value.map(&new);
                bar.published = bar.published.map(&new);
                bar.imported.iter_mut().flatten().for_each(|value| *value = new(*value));
                ends(&mut bar.spread);
            }
        }
        Figure::Heat(figure) => {
            for square in figure.panels.iter_mut().flat_map(|panel| &mut panel.squares) {
                square.value = square.value.map(&new);
            }
        }
        Figure::Dots(figure) => {
            for dot in figure.panels.iter_mut().flat_map(|panel| &mut panel.dots) {
                dot.value = dot.value.map(&new);
                ends(&mut dot.spread);
                dot.seeds.iter_mut().for_each(|seed| *seed = new(*seed));
            }
        }
        Figure::Parallel(figure) => {
            figure.courses.iter_mut().for_each(|course| course.value = new(course.value));
        }
        Figure::Cost(figure) => {
            for point in figure.groups.iter_mut().flat_map(|group| &mut group.points) {
                (point.x, point.y) = (new(point.x), new(point.y));
            }
        }
        // What they show is bounded by what is read.
        Figure::Views(_) | Figure::Embedding(_) | Figure::Neighbours(_) => {}
    }
    figure
}

fn all_figures() -> Vec<(Figure, String)> {
    let of = |gathered: Gathered| {
        let named = |figure| (figure, gathered.sweep.name.clone());
        figures_of(&gathered).into_iter().map(named).collect::<Vec<_>>()
    };
    samples::all().into_iter().flat_map(of).collect()
}

#[test]
fn pictures_of_many_settings_with_long_names_keep_their_layout() {
    let sweeps = [samples::wide_arms(), samples::collapsed_sweep()].map(samples::with_exhibits);
    let of = |gathered: &Gathered| {
        let figures = figures_of(gathered);
        let name = gathered.sweep.name.clone();
        figures.into_iter().map(move |figure| (figure, name.clone())).collect::<Vec<_>>()
    };
    hold(sweeps.iter().flat_map(of));
}

#[test]
fn charts_of_all_kinds_keep_their_words_apart() {
    hold(all_figures());
}

#[test]
fn values_that_are_equal_or_none_or_huge_are_drawn() {
    let changes: [(&str, Change); 6] = [
        ("equal values", |_| 50.0),
        ("zeros", |_| 0.0),
        ("no numbers", |_| f64::NAN),
        ("huge values", |value| value * 1e300),
        ("tiny values", |value| value * 1e-9),
        ("wide numbers", |value| value * 54_321.0),
    ];
    let figures = all_figures();
    hold(changes.into_iter().flat_map(|(what, new)| {
        figures.iter().map(move |(figure, name)| (revalued(figure, new), format!("{what}, {name}")))
    }));
}

#[test]
fn one_trial_is_drawn() {
    hold(samples::all().into_iter().flat_map(|mut gathered| {
        gathered.trials.truncate(1);
        let what = format!("one trial of {}", gathered.sweep.name);
        figures_of(&gathered).into_iter().map(move |figure| (figure, what.clone()))
    }));
}

/// A thousand settings of these axes, with names that are long.
fn thousand(axes: &[&str]) -> Gathered {
    let mut sample = Sample::new("a-sweep-with-a-thousand-settings-and-a-long-name", None, axes);
    for at in 0..1000u32 {
        let value = |(place, axis): (usize, &&str)| {
            let step = match axes.len() {
                1 => at,
                _ => at / 32_u32.pow(place as u32) % 32,
            };
            let value = if axis.ends_with("name") {
                serde_json::json!(format!("an encoder with a very long name, number {step}"))
            } else {
                serde_json::json!(f64::from(step + 1) * 0.37)
            };
            ((*axis).to_owned(), value)
        };
        let axes: serde_json::Map<_, _> = axes.iter().enumerate().map(value).collect();
        let mut run = samples::run("byol", 256, 0);
        run.warmup_epochs = f64::from(at) / 10.0;
        sample.done(samples::label(axes.into()), run, 0.3 + 0.0004 * f64::from(at * 7 % 1000));
    }
    sample.0
}

#[test]
fn a_thousand_settings_are_drawn() {
    let axes = [
        &["batch_size"][..],
        &["tau_base"],
        &["optimizer.base_lr"],
        &["encoder.name"],
        &["optimizer.base_lr", "optimizer.weight_decay"],
        &["encoder.name", "optimizer.base_lr"],
        &["encoder.name", "optimizer.base_lr", "epochs"],
    ];
    hold(axes.into_iter().flat_map(|axes| {
        let gathered = thousand(axes);
        let spent = gathered.trials.iter().map(|trial| SpentOn {
            train_key: trial.train_key.clone(),
            device: "gpu".to_owned(),
            train_s: 100.0 * f64::from(trial.ordinal),
        });
        let spent = spent.collect();
        let figures = figures_of(&gathered.with_spent(spent));
        figures.into_iter().map(move |figure| (figure, format!("a thousand of {axes:?}")))
    }));
}
