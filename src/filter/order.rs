//! Trials in the order of something known of them. Pure.

use std::cmp::Ordering;
use std::sync::Arc;

use miette::NamedSource;
use serde_json::Value;

use super::subject::Subject;
use super::{Fault, check};

/// An order: a name as in filters, `metric.linear_top1`, from small to large; with a minus before
/// it from large to small. What has no such value comes last either way.
#[derive(Clone, Debug)]
pub struct Order {
    path: Vec<String>,
    direction: Direction,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Rising,
    Falling,
}

impl Order {
    /// Reads an order.
    pub fn parse(text: &str) -> Self {
        let (direction, name) = match text.strip_prefix('-') {
            Some(name) => (Direction::Falling, name),
            None => (Direction::Rising, text),
        };
        Self { path: name.split('.').map(|part| part.trim().to_owned()).collect(), direction }
    }

    /// Returns the places of the trials in this order; equal ones stay as they are.
    ///
    /// # Errors
    ///
    /// No trial has such a name.
    pub fn sort(&self, subjects: &[Subject<'_>]) -> Result<Vec<usize>, Fault> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        if !subjects.is_empty()
            && let Some(end) = check::unknown(&path, subjects)
        {
            let source = Arc::new(NamedSource::new("--sort", self.path.join(".")));
            return Err(check::stranger(&source, &path[..end], subjects));
        }
        let values: Vec<Option<Value>> =
            subjects.iter().map(|subject| subject.get(&path)).collect();
        let mut places: Vec<usize> = (0..subjects.len()).collect();
        places.sort_by(|a, b| match (&values[*a], &values[*b]) {
            (Some(a), Some(b)) => match self.direction {
                Direction::Rising => compare(a, b),
                Direction::Falling => compare(b, a),
            },
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
        Ok(places)
    }
}

/// Compares numbers as numbers and all else as text.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => text(a).cmp(&text(b)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
