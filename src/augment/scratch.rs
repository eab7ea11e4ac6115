//! Memory that one thread uses again for every view, so that a view allocates nothing.

use std::cell::RefCell;

use super::resize::Taps;

/// Buffers of one thread; what they hold between two views means nothing.
#[derive(Default)]
pub(super) struct Scratch {
    /// The view's channels, values in [0, 1], rows from the top.
    pub(super) planes: [Vec<f32>; 3],
    /// One more plane.
    pub(super) spare: Vec<f32>,
    /// One row.
    pub(super) row: Vec<f32>,
    /// How source columns become columns.
    pub(super) columns: Taps,
    /// How source rows become rows.
    pub(super) rows: Taps,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends this thread's buffers; `work` must not ask for them again.
pub(super) fn with<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(work)
}
