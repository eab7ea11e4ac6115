//! Room for what recurses. The parser and the evaluation of CEL take a piece of stack for each
//! level of an expression, more than a thread's usual stack has for the deepest one.

use std::io;

/// Address space for the deepest expression of [`LONGEST`](super::LONGEST) bytes, in a build without
/// optimisation; only what is used of it takes memory.
const STACK: usize = 256 << 20;

/// Does some work on a stack of its own.
///
/// # Errors
///
/// There is no such stack, or the work panicked: that is a defect, told as an error.
pub(super) fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)?;
        thread.join().map_err(|_| io::Error::other("a defect in reading filters"))
    })
}
