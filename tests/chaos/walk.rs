//! Goes through all points, one after the other: each must be reached, and the sweep must come to
//! its end all the same.

use std::time::Duration;

use crate::arena::{Arena, BOUND, Shape};
use crate::failpoint::Point;
use crate::tally::Tally;

/// Arms all points at once and starts controllers until one ends; each point kills once.
///
/// # Errors
///
/// A point that was not reached, or a controller that failed.
pub(crate) fn all_points(shape: Shape, arena: &Arena, tally: &mut Tally) -> Result<(), String> {
    let armed: Vec<(Point, u64)> = Point::ALL.into_iter().map(|point| (point, 1)).collect();
    let mut left = 2 * Point::ALL.len();
    loop {
        let mut controller = arena.start(&armed, 0);
        let status = controller.wait(BOUND).ok_or("a controller hangs")?;
        match status.code() {
            Some(0) => break,
            Some(code) => return Err(format!("a controller ended with code {code}")),
            None if left == 0 => return Err("controllers die for ever".into()),
            None => left -= 1,
        }
        // A worker without controller may be on its way to a point of its own.
        std::thread::sleep(Duration::from_millis(5));
    }
    let reached = arena.marks();
    for point in &reached {
        tally.point(*point, shape.kind);
    }
    let missed: Vec<&str> =
        Point::ALL.iter().filter(|point| !reached.contains(point)).map(|p| p.as_str()).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("points that nobody reached: {missed:?}")) }
}
