//! Holds lines, curves, bars, dots, maps, courses and costs to their layout whatever they say: any numbers, any
//! names, one and two columns.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::extremes::faults;
use crate::report::figure::{
    Bar, BarFigure, BarRow, CostFigure, CostGroup, CostPoint, CurveFigure, Dot, DotFigure,
    DotPanel, Figure, Heading, HeatFigure, HeatPanel, Level, Line, LineFigure, Origin, Panel,
    ParallelAxis, ParallelCourse, ParallelFigure, Point, SpreadForm, SpreadMarks, Square, Tick,
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

fn lines() -> impl Strategy<Value = Figure> {
    let of = |ticks: usize| {
        let point = (number(), option::of((number(), number())), numbers(0..4), any::<[bool; 3]>());
        let line = (name(), 0..21usize, 0..3usize, vec(point, ticks)).prop_map(
            |(name, style, origin, points)| {
                let points = points.into_iter().enumerate().filter(|(_, point)| point.3[0]);
                let points = points.map(|(at, (y, spread, seeds, [_, diverged, collapsed]))| {
                    Point { x: at as f64, y, spread, seeds, diverged, collapsed }
                });
                let origin = [Origin::Ours, Origin::Paper, Origin::Imported][origin];
                Line { name, style, origin, points: points.collect() }
            },
        );
        let panel = (name(), vec(line, 1..8), levels())
            .prop_map(|(y_label, lines, levels)| Panel { y_label, lines, levels });
        let tick = (name(), option::weighted(0.2, name()));
        let ticks = vec(tick, ticks).prop_map(|ticks| {
            let tick = |(at, (label, apart))| Tick { at: at as f64, label, apart };
            ticks.into_iter().enumerate().map(tick).collect()
        });
        (heading(), name(), ticks, spread(), vec(panel, 1..4)).prop_map(
            |(heading, x_label, ticks, spread, panels)| {
                Figure::Lines(LineFigure { heading, x_label, ticks, spread, panels })
            },
        )
    };
    (1..12usize).prop_flat_map(of)
}

fn dots() -> impl Strategy<Value = Figure> {
    let of = |(rows, imports): (usize, usize)| {
        // Ours, the paper's, and those of each import.
        let value =
            (option::weighted(0.9, number()), option::of((number(), number())), numbers(0..4));
        let dot = option::of((value, any::<bool>(), any::<bool>()));
        let panel = (name(), vec(vec(dot, imports + 2), rows), levels());
        let panel = panel.prop_map(|(x_label, rows, levels)| {
            let of = |(row, dots): (usize, Vec<_>)| {
                let dots = dots.into_iter().enumerate();
                let dot = move |(place, dot)| {
                    let ((value, spread, seeds), diverged, collapsed) = dot?;
                    let origin = match place {
                        0 => Origin::Ours,
                        1 => Origin::Paper,
                        _ => Origin::Imported,
                    };
                    let import = usize::checked_sub(place, 2);
                    let diverged = diverged && origin == Origin::Ours;
                    Some(Dot { row, value, spread, seeds, origin, import, diverged, collapsed })
                };
                dots.filter_map(dot).collect::<Vec<Dot>>()
            };
            DotPanel { x_label, dots: rows.into_iter().enumerate().flat_map(of).collect(), levels }
        });
        (heading(), vec(name(), rows), spread(), vec(panel, 1..4), vec(name(), imports)).prop_map(
            |(heading, rows, spread, panels, imports)| {
                Figure::Dots(DotFigure { heading, rows, spread, panels, imports })
            },
        )
    };
    (1..12usize, 0..4usize).prop_flat_map(of)
}

fn maps() -> impl Strategy<Value = Figure> {
    let of = |(columns, rows): (usize, usize)| {
        let words = prop_oneof!["[0-9]{2}[.][0-9]", name()];
        let square = (option::weighted(0.9, number()), words, any::<bool>(), any::<bool>());
        let panel = (name(), vec(option::weighted(0.9, square), columns * rows));
        let panel = panel.prop_map(move |(name, squares)| {
            let square = |(at, square): (usize, Option<_>)| {
                let (value, words, diverged, collapsed) = square?;
                let (column, row) = (at % columns, at / columns);
                Some(Square { column, row, value, words, diverged, collapsed })
            };
            let squares = squares.into_iter().enumerate().filter_map(square).collect();
            HeatPanel { name, squares }
        });
        let words = (name(), name(), name());
        (heading(), words, vec(name(), columns), vec(name(), rows), vec(panel, 1..4)).prop_map(
            |(heading, (x_label, y_label, value_label), columns, rows, panels)| {
                Figure::Heat(HeatFigure {
                    heading,
                    x_label,
                    y_label,
                    value_label,
                    columns,
                    rows,
                    panels,
                })
            },
        )
    };
    (1..9usize, 1..9usize).prop_flat_map(of)
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
        (heading(), name(), spread(), names, vec(row, 1..15), any::<bool>()).prop_map(
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

#[test]
fn the_line_of_a_cost_figure_keeps_its_layout_wherever_the_points_are() {
    let point = |x, y| CostPoint { x, y, collapsed: false };
    let points = vec![point(-34.6, 0.0), point(50.0, 50.0)];
    let figure = CostFigure {
        heading: Heading {
            file: "any".to_owned(),
            title: "Cost".to_owned(),
            subtitle: String::new(),
            caption: String::new(),
        },
        x_label: "time".to_owned(),
        y_label: "accuracy".to_owned(),
        groups: vec![CostGroup { name: "BYOL".to_owned(), points }],
        frontier: vec![(76.7, 50.0), (50.0, 50.0)],
    };
    assert_eq!(faults(&Figure::Cost(figure), "a line beyond the points"), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn any_lines_keep_their_layout(figure in lines()) {
        hold(&figure)?;
    }

    #[test]
    fn any_dots_keep_their_layout(figure in dots()) {
        hold(&figure)?;
    }

    #[test]
    fn any_maps_keep_their_layout(figure in maps()) {
        hold(&figure)?;
    }

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
