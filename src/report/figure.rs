//! What the charts show, as plain values: which figures a sweep has, their lines, bars and words.
//! Knows nothing of pixels. Accuracies are percent here.

mod bars;
mod choice;
mod cost;
mod curves;
mod dots;
mod embedding;
mod heat;
mod lines;
mod neighbours;
mod parallel;
mod schedules;
mod views;

use serde::Serialize;

pub use cost::{CostFigure, CostGroup, CostPoint};
pub use dots::{Dot, DotFigure, DotPanel};
pub use heat::{HeatFigure, HeatPanel, Square};
pub use parallel::{ParallelAxis, ParallelCourse, ParallelFigure};

use super::analysis::Analysis;
use super::exhibits::choice::Chosen;
use super::gathered::Gathered;
use super::metric::Metric;
use crate::ids::TrainKey;
use crate::protocol::exhibit::Pictures;
use crate::spec::sweep::SpreadKind;
use choice::Choice;

/// Lines that can be told apart in one panel without effort.
const EASY_LINES: usize = 7;
/// More lines than this have whiskers: their bands would hide each other.
const MOST_BANDS: usize = 4;

/// Lines of a panel, bars of a row: colours times dashes, and what a legend has room for.
const MOST_LINES: usize = 21;
/// Bars of a figure.
const MOST_BARS: usize = 120;

/// A chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Figure {
    /// Values against a setting.
    Lines(LineFigure),
    /// Changes by arm.
    Bars(BarFigure),
    /// Metrics over the updates, or schedules over the epochs.
    Curves(CurveFigure),
    /// What augmentations make of images.
    Views(ViewsFigure),
    /// Where images lie in the embedding.
    Embedding(EmbeddingFigure),
    /// What encoders take for alike.
    Neighbours(NeighboursFigure),
    /// A shaded square for each pair of values.
    Heat(HeatFigure),
    /// A row of dots a setting.
    Dots(DotFigure),
    /// Parallel coordinates.
    Parallel(ParallelFigure),
    /// Results against what they took.
    Cost(CostFigure),
}

/// The words of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// File name without its ending.
    pub file: String,
    /// First line.
    pub title: String,
    /// Second line: data set, encoder, seeds.
    pub subtitle: String,
    /// What the page says below it.
    pub caption: String,
}

/// Values against a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LineFigure {
    /// Words.
    pub heading: Heading,
    /// Name of the setting.
    pub x_label: String,
    /// Where the setting has values.
    pub ticks: Vec<Tick>,
    /// How spreads are drawn, where there are any.
    pub spread: Option<SpreadMarks>,
    /// Side by side, at least one.
    pub panels: Vec<Panel>,
}

/// A value of a setting on its axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tick {
    /// Position.
    pub at: f64,
    /// The value in words.
    pub label: String,
    /// Why no line reaches it, where it stands apart: it is another thing, or not to scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apart: Option<String>,
}

impl Tick {
    /// Returns a value like its neighbours.
    pub fn joined(at: f64, label: String) -> Self {
        Self { at, label, apart: None }
    }
}

/// How spreads over seeds are drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpreadMarks {
    /// What the legend says.
    pub label: String,
    /// What they look like.
    pub form: SpreadForm,
}

/// What spreads look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadForm {
    /// An area behind the line; whiskers where a point has no neighbour.
    Bands,
    /// A line through the point with ends.
    Whiskers,
}

impl SpreadMarks {
    /// Returns areas.
    fn bands(kind: SpreadKind) -> Self {
        Self { label: spread_label(kind).to_owned(), form: SpreadForm::Bands }
    }

    /// Returns lines with ends.
    fn whiskers(kind: SpreadKind) -> Self {
        Self { label: spread_label(kind).to_owned(), form: SpreadForm::Whiskers }
    }
}

fn spread_label(kind: SpreadKind) -> &'static str {
    match kind {
        SpreadKind::Sd => "± 1 sd over seeds",
        SpreadKind::T95 => "95 % interval (t)",
        SpreadKind::Bca95 => "95 % interval (BCa)",
    }
}

/// A kind of spread as captions name it.
fn spread_words(kind: SpreadKind) -> &'static str {
    match kind {
        SpreadKind::Sd => "one standard deviation over seeds",
        SpreadKind::T95 => "95 % intervals of the mean by Student's t",
        SpreadKind::Bca95 => {
            "95 % intervals of the mean by the BCa bootstrap, by Student's t below five seeds"
        }
    }
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Panel {
    /// What is drawn upwards, with its unit.
    pub y_label: String,
    /// Lines; those with equal `style` belong together in all panels.
    pub lines: Vec<Line>,
    /// Values to compare with; drawn where they lie within the panel.
    pub levels: Vec<Level>,
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Position.
    pub at: f64,
    /// What it is.
    pub label: String,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What the legend says.
    pub name: String,
    /// Number of its colour and marker, from 0.
    pub style: usize,
    /// Whose numbers these are.
    pub origin: Origin,
    /// In rising order.
    pub points: Vec<Point>,
}

/// Whose numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The sweep's.
    Ours,
    /// The paper's.
    Paper,
    /// Other people's.
    Imported,
}

/// A point of a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Position on the setting's axis.
    pub x: f64,
    /// Mean over seeds.
    pub y: f64,
    /// Ends of the spread, where there are several seeds.
    pub spread: Option<(f64, f64)>,
    /// The seeds' own values, where there are several.
    pub seeds: Vec<f64>,
    /// Some seed diverged.
    pub diverged: bool,
    /// Some seed collapsed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub collapsed: bool,
}

impl Point {
    /// Returns a point of a single value that turned out healthy.
    pub fn plain(x: f64, y: f64) -> Self {
        Self { x, y, spread: None, seeds: Vec::new(), diverged: false, collapsed: false }
    }
}

/// Changes by arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BarFigure {
    /// Words.
    pub heading: Heading,
    /// What is drawn sideways, with its unit.
    pub x_label: String,
    /// How spreads are drawn, where there are any.
    pub spread: Option<SpreadMarks>,
    /// Names of the bars of a row.
    pub series: Vec<String>,
    /// Rows, the first on top.
    pub rows: Vec<BarRow>,
    /// Some bar has a published value beside it.
    pub has_published: bool,
    /// Imports whose changes stand beside some bars.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
}

/// The bars of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BarRow {
    /// The arm.
    pub name: String,
    /// One for each series.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// Mean change; `None` while there is no result.
    pub value: Option<f64>,
    /// Ends of the spread, where there are several seeds.
    pub spread: Option<(f64, f64)>,
    /// The paper's change.
    pub published: Option<f64>,
    /// Changes of others, one for each import of the figure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<Option<f64>>,
    /// Some seed diverged.
    pub diverged: bool,
    /// Some seed collapsed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub collapsed: bool,
}

/// Metrics over the updates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurveFigure {
    /// Words.
    pub heading: Heading,
    /// What is drawn sideways, with its unit.
    pub x_label: String,
    /// One a metric.
    pub panels: Vec<Panel>,
}

/// A square picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub side: usize,
    /// Red, green, blue, row by row.
    pub rgb: Vec<u8>,
}

impl Picture {
    fn all(pictures: &Pictures) -> Vec<Self> {
        let side = pictures.side;
        pictures.iter().map(|rgb| Self { side, rgb: rgb.to_vec() }).collect()
    }
}

impl Serialize for Picture {
    /// Tells its side and the BLAKE3 digest of its pixels, which are in the rows.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digest = blake3::hash(&self.rgb).to_hex();
        serializer.collect_str(&format_args!("{0}x{0} {digest:.16}", self.side))
    }
}

/// What augmentations make of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ViewsFigure {
    /// Words.
    pub heading: Heading,
    /// One for each way of making views.
    pub strips: Vec<Strip>,
}

/// The views of one way of making them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Strip {
    /// The settings that make them so.
    pub name: String,
    /// The images; `None` where they are those of the strip above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originals: Option<Vec<Picture>>,
    /// T and T' of each image.
    pub pairs: Vec<[Picture; 2]>,
}

/// Where images lie in the embedding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmbeddingFigure {
    /// Words.
    pub heading: Heading,
    /// What labels mean; none where images have no labels.
    pub classes: Vec<String>,
    /// Principal components are drawn from minus this to this.
    pub reach: f64,
    /// One a setting, the same images in the same order.
    pub maps: Vec<EmbeddingMap>,
}

/// One setting's embedding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmbeddingMap {
    /// The setting.
    pub name: String,
    /// Seed, result, and why it is shown.
    pub note: String,
    /// Percent of the variance that the two components have.
    pub shares: [f64; 2],
    /// Along the two first principal components.
    pub pca: Vec<[f64; 2]>,
    /// By t-SNE, in [-1, 1]; none where there are too few images.
    pub tsne: Vec<[f64; 2]>,
    /// Class of each image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<u8>>,
}

/// What encoders take for alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NeighboursFigure {
    /// Words.
    pub heading: Heading,
    /// Whether classes are known.
    pub is_labelled: bool,
    /// One a setting.
    pub blocks: Vec<NeighbourBlock>,
}

/// What one encoder takes for alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NeighbourBlock {
    /// The setting.
    pub name: String,
    /// Seed, result, and why it is shown.
    pub note: String,
    /// One a test image.
    pub rows: Vec<NeighbourRow>,
}

/// A test image and its neighbours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NeighbourRow {
    /// The test image.
    pub query: Picture,
    /// Its class, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Nearest first.
    pub found: Vec<Neighbour>,
}

/// A neighbour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neighbour {
    /// The image.
    pub picture: Picture,
    /// Whether it is of the test image's class, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_class: Option<bool>,
}

impl Figure {
    /// Returns whether it shows pictures and not only marks.
    pub fn has_pictures(&self) -> bool {
        match self {
            Self::Views(_) | Self::Neighbours(_) => true,
            Self::Lines(_)
            | Self::Bars(_)
            | Self::Curves(_)
            | Self::Heat(_)
            | Self::Dots(_)
            | Self::Parallel(_)
            | Self::Cost(_)
            | Self::Embedding(_) => false,
        }
    }

    /// Returns its words.
    pub fn heading(&self) -> &Heading {
        match self {
            Self::Lines(figure) => &figure.heading,
            Self::Bars(figure) => &figure.heading,
            Self::Curves(figure) => &figure.heading,
            Self::Views(figure) => &figure.heading,
            Self::Embedding(figure) => &figure.heading,
            Self::Neighbours(figure) => &figure.heading,
            Self::Heat(figure) => &figure.heading,
            Self::Dots(figure) => &figure.heading,
            Self::Parallel(figure) => &figure.heading,
            Self::Cost(figure) => &figure.heading,
        }
    }
}

/// Returns the figures that the sweep's axes and rows give rise to.
pub fn figures(gathered: &Gathered, analysis: &Analysis) -> Vec<Figure> {
    let axes = choice::axes(&gathered.sweep.axes, &analysis.cells);
    let has_arms = analysis.cells.iter().any(|cell| cell.label.arm.is_some());
    let results = choice::choose(&axes, analysis.cells.len(), has_arms)
        .into_iter()
        .filter_map(|choice| of_results(choice, gathered, analysis));
    let cost = cost::against_cost(gathered, analysis).map(Figure::Cost);
    let curves = curves::over_updates(gathered, analysis).into_iter().map(Figure::Curves);
    let schedules = schedules::of_all(gathered, analysis).map(Figure::Curves);
    let views = views::figure(gathered, analysis).map(Figure::Views);
    let embedding = embedding::figure(gathered, analysis).map(Figure::Embedding);
    let neighbours = neighbours::figure(gathered, analysis).map(Figure::Neighbours);
    let numbers = results.chain(cost).chain(curves).chain(schedules);
    numbers.chain(views).chain(embedding).chain(neighbours).collect()
}

fn of_results(choice: Choice<'_>, gathered: &Gathered, analysis: &Analysis) -> Option<Figure> {
    match choice {
        Choice::BatchSize => lines::by_batch_size(gathered, analysis).map(Figure::Lines),
        Choice::TauBase => lines::by_tau_base(gathered, analysis).map(Figure::Lines),
        Choice::Setting(axis) => lines::by_setting(gathered, analysis, axis).map(Figure::Lines),
        Choice::Changes => bars::changes(gathered, analysis).map(Figure::Bars),
        Choice::Map(axes) => heat::of_two(gathered, analysis, axes).map(Figure::Heat),
        Choice::Rows => dots::of_all(gathered, analysis).map(Figure::Dots),
        Choice::AllSettings(axes) => {
            parallel::of_all(gathered, analysis, &axes).map(Figure::Parallel)
        }
    }
}

/// What a result is compared with: the untrained encoder, and guessing.
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

/// A file name's worth of letters.
fn slug(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).collect()
}

/// A trial's seed in words.
fn seed_of(gathered: &Gathered, key: &TrainKey) -> String {
    let trial = gathered.trials.iter().find(|trial| trial.train_key == *key);
    trial.map_or_else(|| "one seed".to_owned(), |trial| format!("seed {}", trial.run.seed))
}

/// What stands below the name of a setting that is compared: `seed 0, 61.2 %, best`.
fn note(gathered: &Gathered, analysis: &Analysis, chosen: &Chosen) -> String {
    let finals = gathered.finals.iter().find(|finals| finals.train_key == chosen.trial);
    let value = finals.and_then(|finals| finals.values.get(&analysis.metric));
    let value = value.map(|value| Metric(&analysis.metric).shown_with_unit(*value));
    let seed = seed_of(gathered, &chosen.trial);
    let roles = chosen.roles.iter().map(|role| role.word().to_owned());
    [seed].into_iter().chain(value).chain(roles).collect::<Vec<_>>().join(", ")
}

/// Whether any setting has a spread to draw.
fn has_spread(analysis: &Analysis) -> bool {
    analysis.cells.iter().filter_map(|cell| cell.estimate).any(|estimate| estimate.n > 1)
}

/// Second line of a figure: setting and number of seeds.
fn subtitle(gathered: &Gathered, analysis: &Analysis) -> String {
    let seeds = analysis.cells.iter().map(|cell| cell.by_seed.len()).filter(|n| *n > 0);
    let (least, most) = (seeds.clone().min(), seeds.max());
    let seeds = match (least, most) {
        (Some(1), Some(1)) => "one seed".to_owned(),
        (Some(least), Some(most)) if least == most => format!("{most} seeds"),
        (Some(least), Some(most)) => format!("{least} to {most} seeds"),
        (None, _) | (_, None) => "no results".to_owned(),
    };
    let mut text = format!("{}, {seeds}", super::settings::in_short(gathered));
    if analysis.with_result < analysis.trials {
        let missing = analysis.trials - analysis.with_result;
        text += &format!(", {missing} of {} trials without a result", analysis.trials);
    }
    if analysis.diverged() > 0 {
        text += &format!(", {} diverged (†)", analysis.diverged());
    }
    if analysis.collapsed() > 0 {
        text += &format!(", {} collapsed", analysis.collapsed());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::analysis::analyse;
    use super::super::samples;
    use super::*;

    fn files(gathered: &Gathered) -> Vec<String> {
        let figures = figures(gathered, &analyse(gathered));
        figures.iter().map(|figure| figure.heading().file.clone()).collect()
    }

    #[test]
    fn axes_decide_which_figures_there_are() {
        assert_eq!(
            files(&samples::batch_sweep()),
            ["accuracy-by-batch-size", "curves-byol", "curves-simclr", "schedules"]
        );
        assert_eq!(files(&samples::tau_sweep()), ["accuracy-by-tau-base", "curves", "schedules"]);
        assert_eq!(
            files(&samples::augmentation_sweep(1)),
            ["change-by-arm", "curves-byol", "curves-simclr", "schedules"]
        );
        assert_eq!(
            files(&samples::collapsed_sweep()),
            ["accuracy-by-tau-base", "curves", "embedding", "schedules"]
        );
        assert_eq!(files(&samples::depth_sweep())[0], "heat-map");
        assert_eq!(files(&samples::variants_sweep())[0], "accuracy-by-setting");
        assert_eq!(files(&samples::rate_sweep())[0], "accuracy-by-optimizer-weight-decay");
        assert_eq!(files(&samples::search_sweep(60))[0], "all-settings");
        assert_eq!(files(&samples::costly_sweep())[1], "accuracy-by-cost");
        let mut without_curves = samples::tau_sweep();
        without_curves.curves.clear();
        assert_eq!(files(&without_curves), ["accuracy-by-tau-base", "schedules"]);
    }

    #[test]
    fn what_collapsed_is_marked_at_its_point_and_at_the_end_of_its_curves() {
        let gathered = samples::collapsed_sweep();
        let marked: Vec<(String, usize)> = figures(&gathered, &analyse(&gathered))
            .into_iter()
            .map(|figure| {
                let file = figure.heading().file.clone();
                let panels = match figure {
                    Figure::Lines(figure) => figure.panels,
                    Figure::Curves(figure) => figure.panels,
                    Figure::Bars(_)
                    | Figure::Views(_)
                    | Figure::Embedding(_)
                    | Figure::Neighbours(_)
                    | Figure::Heat(_)
                    | Figure::Dots(_)
                    | Figure::Parallel(_)
                    | Figure::Cost(_) => Vec::new(),
                };
                let points = panels.iter().flat_map(|panel| &panel.lines).flat_map(|l| &l.points);
                (file, points.filter(|point| point.collapsed).count())
            })
            .collect();
        // One line or point of five, in each of two panels.
        let expected = [
            ("accuracy-by-tau-base", 2),
            ("curves", 2),
            ("embedding", 2),
            // What was asked for cannot collapse.
            ("schedules", 0),
        ];
        assert_eq!(marked, expected.map(|(file, count)| (file.to_owned(), count)));
    }

    #[test]
    fn the_batch_figure_sets_changes_beside_the_papers() {
        let gathered = samples::batch_sweep();
        let figures = figures(&gathered, &analyse(&gathered));
        insta::assert_json_snapshot!(figures[0]);
    }

    #[test]
    fn the_paper_has_a_line_where_it_prints_more_than_the_reference() {
        let mut sample = samples::Sample::new("low", Some("ablation_batch_size"), &["batch_size"]);
        for batch_size in [64, 16] {
            let label = samples::label(json!({ "batch_size": batch_size }));
            sample.done(label, samples::run("byol", batch_size, 0), 0.5);
        }
        let Figure::Lines(figure) = &figures(&sample.0, &analyse(&sample.0))[0] else {
            panic!("no lines")
        };
        assert!(figure.panels.iter().flat_map(|p| &p.lines).all(|l| l.origin == Origin::Ours));
        assert!(!figure.heading.caption.contains("the paper"));
    }

    #[test]
    fn figures_of_large_sweeps_keep_their_size() {
        let mut sample = samples::Sample::new("large", None, &["batch_size", "augment.remove"]);
        for at in 0..600u32 {
            let removed = json!([format!("operator {}", at / 30)]);
            let removed = if at < 30 { json!([]) } else { removed };
            let axes = json!({"batch_size": 64 + at % 30, "augment.remove": removed});
            let mut run = samples::run("byol", 64, 0);
            run.warmup_epochs = f64::from(at);
            sample.done(samples::label(axes), run, 0.5);
        }
        for figure in figures(&sample.0, &analyse(&sample.0)) {
            match figure {
                Figure::Lines(figure) => assert!(figure.panels[0].lines.len() <= MOST_LINES),
                Figure::Bars(figure) => {
                    assert!(figure.rows.len() * figure.series.len() <= MOST_BARS);
                    assert!(figure.heading.caption.ends_with("The first 5 of 19 settings."));
                }
                Figure::Curves(figure) => {
                    assert!(figure.panels.iter().all(|panel| panel.lines.len() <= MOST_LINES));
                }
                Figure::Views(_) | Figure::Embedding(_) | Figure::Neighbours(_) => {
                    panic!("no trial shows anything")
                }
                Figure::Heat(_) | Figure::Dots(_) | Figure::Parallel(_) | Figure::Cost(_) => {}
            }
        }
    }

    #[test]
    fn a_row_without_a_result_keeps_its_place_and_the_papers_value() {
        let mut gathered = samples::augmentation_sweep(1);
        let last = gathered.trials.last().unwrap().train_key.clone();
        gathered.finals.retain(|row| row.train_key != last);
        let figures = figures(&gathered, &analyse(&gathered));
        let Figure::Bars(bars) = &figures[0] else { panic!("no bars") };
        let row = bars.rows.last().unwrap();
        assert_eq!(row.name, "crop and blur only");
        assert_eq!((row.bars[1].value, row.bars[1].published), (None, Some(-26.2)));
        assert!(row.bars[0].value.is_some());
    }
}
