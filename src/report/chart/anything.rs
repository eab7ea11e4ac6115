//! Holds curves, bars, courses and costs to their layout whatever they say: any numbers, any
//! names, one and two columns.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::extremes::faults;
use crate::report::figure::{
    Bar, BarFigure, BarRow, CostFigure, CostGroup, CostPoint, CurveFigure, Figure, Heading, Level,
    Line, Origin, Panel, ParallelAxis, ParallelCourse, ParallelFigure, Point, SpreadForm,
    SpreadMarks, Tick,
};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -100.0..100.0_f64,
        2 => Just(50.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => any::<f64>(),
    ]
}

/// Numbers of any kind, or all of one value.
fn numbers(count: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    (vec(number(), count), option::weighted(0.2, number())).prop_map(|(numbers, all)| {
        numbers.into_iter().map(|number| all.unwrap_or(number)).collect()
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9 ,.+=_-]{1,60}", "[a-zA-Z0-9]{60}", "\\PC{1,60}", Just(String::new())]
}

/// What our own words on axes are made of.
fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 ,.()%_-]{1,60}"
}

fn names(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
    vec(name(), count)
}

fn heading() -> impl Strategy<Value = Heading> {
    (name(), name(), name()).prop_map(|(title, subtitle, caption)| Heading {
        file: "any".to_owned(),
        title,
        subtitle: format!("{subtitle}; {caption}"),
        caption,
    })
}

fn spread() -> impl Strategy<Value = Option<SpreadMarks>> {
    let form = prop_oneof![Just(SpreadForm::Bands), Just(SpreadForm::Whiskers)];
    option::of((name(), form).prop_map(|(label, form)| SpreadMarks { label, form }))
}

fn levels() -> impl Strategy<Value = Vec<Level>> {
    vec((number(), name()).prop_map(|(at, label)| Level { at, label }), 0..3)
}

fn curves() -> impl Strategy<Value = Figure> {
    let plain = (numbers(1..1000), name(), 0..21usize).prop_map(|(values, name, style)| Line {
        name,
        style,
        origin: Origin::Ours,
        points: values.iter().enumerate().map(|(x, y)| Point::plain(x as f64, *y)).collect(),
    });
    let panel = (name(), vec(plain, 1..15), levels()).prop_map(|(y_label, lines, levels)| Panel {
        y_label,
        lines,
        levels,
    });
    (heading(), name(), vec(panel, 1..4)).prop_map(|(heading, x_label, panels)| {
        Figure::Curves(CurveFigure { heading, x_label, panels })
    })
}

fn bars() -> impl Strategy<Value = Figure> {
    let of = |(series, imports): (usize, usize)| {
        let bar = (
            option::weighted(0.8, number()),
            option::of((number(), number())),
            option::of(number()),
            vec(option::of(number()), imports),
            any::<bool>(),
            any::<bool>(),
        )
            .prop_map(|(value, spread, published, imported, diverged, collapsed)| Bar {
                value,
                spread,
                published,
                imported,
                diverged,
                collapsed,
            });
        let row = (name(), vec(bar, series)).prop_map(|(name, bars)| BarRow { name, bars });
        let names = (vec(name(), series), vec(name(), imports));
        (heading(), label(), spread(), names, vec(row, 1..15), any::<bool>()).prop_map(
            |(heading, x_label, spread, (series, imports), rows, has_published)| {
                Figure::Bars(BarFigure {
                    heading,
                    x_label,
                    spread,
                    series,
                    rows,
                    has_published,
                    imports,
                })
            },
        )
    };
    (1..6usize, 0..5usize).prop_flat_map(of)
}

fn parallel() -> impl Strategy<Value = Figure> {
    let of = |axes: usize| {
        let ticks = names(1..15).prop_map(|names| {
            let last = names.len().saturating_sub(1).max(1) as f64;
            let tick = |(at, label)| Tick::joined(at as f64 / last, label);
            names.into_iter().enumerate().map(tick).collect::<Vec<Tick>>()
        });
        let axis = (name(), ticks).prop_map(|(label, ticks)| ParallelAxis { label, ticks });
        let course = (vec(option::weighted(0.9, 0.0..1.0), axes), number(), any::<bool>())
            .prop_map(|(at, value, collapsed)| ParallelCourse { at, value, collapsed });
        (heading(), vec(axis, axes), name(), vec(course, 1..60)).prop_map(
            |(heading, axes, value_label, courses)| {
                Figure::Parallel(ParallelFigure { heading, axes, value_label, courses })
            },
        )
    };
    (2..8usize).prop_flat_map(of)
}

fn cost() -> impl Strategy<Value = Figure> {
    let point = (number(), number(), any::<bool>()).prop_map(|(x, y, collapsed)| CostPoint {
        x,
        y,
        collapsed,
    });
    let group = (name(), vec(point, 1..1000)).prop_map(|(name, points)| CostGroup { name, points });
    let frontier = vec((number(), number()), 0..9);
    (heading(), name(), name(), vec(group, 1..8), frontier).prop_map(
        |(heading, x_label, y_label, groups, frontier)| {
            Figure::Cost(CostFigure { heading, x_label, y_label, groups, frontier })
        },
    )
}

fn hold(figure: &Figure) -> Result<(), TestCaseError> {
    let faults = faults(figure, "any");
    let shown: Vec<&String> = faults.iter().take(5).collect();
    prop_assert!(faults.is_empty(), "{} faults: {shown:#?}", faults.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn any_curves_keep_their_layout(figure in curves()) {
        hold(&figure)?;
    }

    #[test]
    fn any_bars_keep_their_layout(figure in bars()) {
        hold(&figure)?;
    }

    #[test]
    fn any_courses_keep_their_layout(figure in parallel()) {
        hold(&figure)?;
    }

    #[test]
    fn any_costs_keep_their_layout(figure in cost()) {
        hold(&figure)?;
    }
}
