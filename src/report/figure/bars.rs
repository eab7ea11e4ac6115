//! Changes by arm, or by what was removed from the augmentations, beside the paper's.

use super::{
    Bar, BarFigure, BarRow, Heading, MOST_BARS, MOST_LINES, SpreadMarks, has_spread, spread_words,
    subtitle,
};
use crate::report::analysis::Analysis;
use crate::report::cell::{Cell, name};
use crate::report::gathered::Gathered;
use crate::report::imports::Marked;
use crate::report::metric::Metric;
use crate::report::reference::Reference;
use crate::report::words::{self, capitalised};

/// The paper's Figure 3(b), for all arms.
pub(super) fn changes(gathered: &Gathered, analysis: &Analysis) -> Option<BarFigure> {
    let reference = match analysis.reference? {
        reference @ (Reference::Arm | Reference::NothingRemoved) => reference,
        Reference::LargestBatch | Reference::UsualDecay | Reference::PublishedBaseline => {
            return None;
        }
    };
    let metric = Metric(&analysis.metric);
    let mut series: Vec<String> = Vec::new();
    let mut rows: Vec<(String, Vec<(usize, Bar)>)> = Vec::new();
    let imported = Marked::of(gathered, analysis, metric);
    for (at, cell) in analysis.cells.iter().enumerate() {
        let Some(change) = cell.change.as_ref().filter(|change| !change.is_reference) else {
            continue;
        };
        let bar = Bar {
            value: change.ours.map(|ours| metric.scaled(ours.mean)),
            spread: change.ours.and_then(|ours| metric.scaled_range(&ours, analysis.spread)),
            published: change.published,
            imported: imported.changes[at].clone(),
            diverged: cell.diverged > 0,
            collapsed: cell.collapsed > 0,
        };
        let Some(place) = place_of(&mut series, series_name(cell, reference)) else { continue };
        let name = row_name(cell, reference);
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, bars)) => bars.push((place, bar)),
            None => rows.push((name, vec![(place, bar)])),
        }
    }
    let no_bar = Bar {
        value: None,
        spread: None,
        published: None,
        imported: vec![None; imported.names.len()],
        diverged: false,
        collapsed: false,
    };
    let row = |(name, found): (String, Vec<(usize, Bar)>)| {
        let mut bars = vec![no_bar.clone(); series.len()];
        for (place, bar) in found {
            bars[place] = bar;
        }
        BarRow { name, bars }
    };
    let (all, shown) = (rows.len(), MOST_BARS / series.len().max(1));
    let rows: Vec<BarRow> = rows.into_iter().take(shown).map(row).collect();
    let bars = || rows.iter().flat_map(|row| &row.bars);
    bars().find(|bar| bar.value.is_some())?;
    let has_published = bars().any(|bar| bar.published.is_some());
    let mut heading = heading(gathered, analysis, reference, has_published);
    heading.caption += &imported.caption();
    if rows.len() < all {
        heading.caption += &format!(" The first {} of {all} settings.", rows.len());
    }
    Some(BarFigure {
        heading,
        x_label: format!(
            "change in {} against {}{}",
            metric.words(),
            reference.words(),
            metric.difference_heading()
        ),
        spread: has_spread(analysis).then(|| SpreadMarks::whiskers(analysis.spread)),
        series: series.iter().map(|name| with_base(analysis, reference, name)).collect(),
        rows,
        has_published,
        imports: imported.owned_names(),
    })
}

/// A series with the value that its changes are against.
fn with_base(analysis: &Analysis, reference: Reference, series: &str) -> String {
    let base = analysis.cells.iter().find(|cell| {
        let is_reference = cell.change.as_ref().is_some_and(|change| change.is_reference);
        is_reference && series_name(cell, reference) == series
    });
    match base.and_then(|cell| cell.estimate) {
        Some(base) => {
            format!("{series} ({})", Metric(&analysis.metric).shown_with_unit(base.mean))
        }
        None => series.to_owned(),
    }
}

fn heading(
    gathered: &Gathered,
    analysis: &Analysis,
    reference: Reference,
    has_published: bool,
) -> Heading {
    let metric = Metric(&analysis.metric);
    let title = format!("Change in {} against {}", metric.words(), reference.words());
    let mut caption = if has_spread(analysis) {
        format!("{title}, seed by seed; whiskers are {}.", spread_words(analysis.spread))
    } else {
        format!("{title}, one seed: the spread is unknown.")
    };
    if has_published && let Some(table) = analysis.table {
        caption += &format!(" Hollow diamonds: the paper ({}), at its own setting.", table.source);
    }
    let mut subtitle = subtitle(gathered, analysis);
    subtitle += &format!("; in parentheses: {}", reference.words());
    let file = match reference {
        Reference::NothingRemoved => "change-by-removal",
        Reference::Arm
        | Reference::LargestBatch
        | Reference::UsualDecay
        | Reference::PublishedBaseline => "change-by-arm",
    };
    Heading { file: file.to_owned(), title: capitalised(&title), subtitle, caption }
}

/// The place of a series, which is made where it is missing and there is room.
fn place_of(series: &mut Vec<String>, name: String) -> Option<usize> {
    if let Some(place) = series.iter().position(|known| *known == name) {
        return Some(place);
    }
    if series.len() == MOST_LINES {
        return None;
    }
    series.push(name);
    Some(series.len() - 1)
}

/// What tells the bars of a row apart: the cell without its arm or removal.
fn series_name(cell: &Cell, reference: Reference) -> String {
    let mut label = cell.label.clone();
    label.arm = None;
    if let Some(axis) = reference.axis() {
        label.axes.remove(axis);
    }
    if label.axes.is_empty() {
        return cell.method.as_deref().map_or_else(|| "this sweep".to_owned(), words::method);
    }
    name(&label, cell.method.as_deref())
}

fn row_name(cell: &Cell, reference: Reference) -> String {
    match reference.axis().and_then(|axis| cell.label.axes.get_key_value(axis)) {
        Some((axis, removed)) => words::setting(axis, removed),
        None => cell.label.arm.clone().unwrap_or_default(),
    }
}
