//! Which figures show a sweep's results: decided by its axes, so that a reader gets the one that
//! fits and not all that could be drawn.

use crate::report::cell::Cell;

/// Settings that can be read row by row.
const EASY_ROWS: usize = 16;
/// Settings beside the one that a line runs along.
const EASY_OTHERS: usize = 2;

/// An axis of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis<'a> {
    path: &'a str,
    /// How many values it has.
    values: usize,
    kind: AxisKind,
}

/// What the values of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AxisKind {
    Numbers,
    Names,
}

/// A figure of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// Lines along the batch size.
    BatchSize,
    /// Lines along tau base.
    TauBase,
    /// Lines along another setting.
    Setting(&'a str),
    /// Bars of changes, by arm or by what was removed.
    Changes,
    /// A map of two settings.
    Map([&'a str; 2]),
    /// A row a setting.
    Rows,
    /// Parallel coordinates.
    AllSettings(Vec<&'a str>),
}

/// Returns the axes with what their values are among the cells.
pub(super) fn axes<'a>(paths: &'a [String], cells: &[Cell]) -> Vec<Axis<'a>> {
    let axis = |path: &'a String| {
        let mut values: Vec<&serde_json::Value> = Vec::new();
        for value in cells.iter().filter_map(|cell| cell.label.axes.get(path)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let are_numbers = values.iter().all(|value| value.is_number());
        let kind = if are_numbers { AxisKind::Numbers } else { AxisKind::Names };
        Axis { path, values: values.len(), kind }
    };
    paths.iter().map(axis).collect()
}

/// Chooses the figures of a sweep with these axes and so many settings.
pub(super) fn choose<'a>(axes: &[Axis<'a>], settings: usize, has_arms: bool) -> Vec<Choice<'a>> {
    let varied: Vec<Axis<'a>> = axes.iter().copied().filter(|axis| axis.values > 1).collect();
    let others: Vec<Axis<'a>> =
        varied.iter().copied().filter(|axis| axis.path != "method").collect();
    let has = |path: &str| others.iter().any(|axis| axis.path == path);
    let mut chosen = Vec::new();
    if others.len() <= EASY_OTHERS {
        chosen.extend(has("batch_size").then_some(Choice::BatchSize));
        chosen.extend(has("tau_base").then_some(Choice::TauBase));
    }
    if has_arms || has("augment.remove") {
        chosen.push(Choice::Changes);
    }
    if chosen.is_empty() {
        chosen.extend(other(&others, settings));
    }
    if varied.len() > 2 && settings > EASY_ROWS && !has_arms {
        chosen.push(Choice::AllSettings(varied.iter().map(|axis| axis.path).collect()));
    }
    chosen
}

/// The figure of a sweep that is none of the paper's.
fn other<'a>(others: &[Axis<'a>], settings: usize) -> Option<Choice<'a>> {
    match others {
        [] => None,
        [Axis { path, kind: AxisKind::Numbers, .. }] => Some(Choice::Setting(path)),
        [x, y] if x.values.max(y.values) > 2 => Some(Choice::Map([x.path, y.path])),
        _ if settings <= EASY_ROWS => Some(Choice::Rows),
        [_] => Some(Choice::Rows),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(path: &str, values: usize) -> Axis<'_> {
        let names = ["method", "predictor.kind", "target", "augment.remove", "encoder.name"];
        let kind = if names.contains(&path) { AxisKind::Names } else { AxisKind::Numbers };
        Axis { path, values, kind }
    }

    fn choice<'a>(axes: &[(&'a str, usize)]) -> Vec<Choice<'a>> {
        let axes: Vec<Axis<'a>> = axes.iter().map(|(path, n)| axis(path, *n)).collect();
        let settings = axes.iter().map(|axis| axis.values).product();
        choose(&axes, settings, false)
    }

    #[test]
    fn the_papers_studies_have_the_papers_figures() {
        assert_eq!(choice(&[("method", 2), ("batch_size", 5)]), [Choice::BatchSize]);
        assert_eq!(choice(&[("tau_base", 5)]), [Choice::TauBase]);
        assert_eq!(choice(&[("method", 2), ("augment.remove", 6)]), [Choice::Changes]);
        let depths = [("projector.depth", 3), ("predictor.depth", 3)];
        assert_eq!(choice(&depths), [Choice::Map(["projector.depth", "predictor.depth"])]);
        let corners = [("predictor.kind", 2), ("target", 2), ("beta", 2)];
        assert_eq!(choice(&corners), [Choice::Rows]);
        let decay = "optimizer.weight_decay";
        assert_eq!(choice(&[(decay, 4)]), [Choice::Setting(decay)]);
    }

    #[test]
    fn arms_have_bars_whatever_else_varies() {
        assert_eq!(choose(&[axis("method", 2)], 28, true), [Choice::Changes]);
        assert_eq!(choose(&[], 14, true), [Choice::Changes]);
    }

    #[test]
    fn many_axes_have_parallel_coordinates() {
        let axes = [("method", 2), ("batch_size", 4), ("optimizer.base_lr", 5), ("epochs", 2)];
        let all = axes.map(|(path, _)| path).to_vec();
        assert_eq!(choice(&axes), [Choice::AllSettings(all)]);
        let three = [("method", 2), ("batch_size", 4), ("optimizer.base_lr", 5)];
        let all = three.map(|(path, _)| path).to_vec();
        assert_eq!(choice(&three), [Choice::BatchSize, Choice::AllSettings(all)]);
    }

    #[test]
    fn an_axis_of_one_value_has_no_figure() {
        assert_eq!(choice(&[("tau_base", 1)]), []);
        assert_eq!(choice(&[("encoder.name", 3)]), [Choice::Rows]);
    }
}
