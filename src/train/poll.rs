//! Leaving work that has nothing to keep: looking at images, fitting classifiers. What it was for is
//! on disk already, and the next attempt does it again. Knows nothing of who asks.

/// Asked between the steps of such work: whether to go on.
#[derive(Clone, Copy)]
pub struct Poll<'a>(Option<&'a dyn Fn() -> bool>);

/// Somebody asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Interrupted;

impl<'a> Poll<'a> {
    /// Goes on to the end.
    pub const NEVER: Poll<'static> = Poll(None);

    /// Goes on until `stop` says so.
    pub fn until(stop: &'a dyn Fn() -> bool) -> Self {
        Self(Some(stop))
    }

    /// Returns whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`] where not.
    pub fn check(self) -> Result<(), Interrupted> {
        match self.0 {
            Some(stop) if stop() => Err(Interrupted),
            Some(_) | None => Ok(()),
        }
    }
}
