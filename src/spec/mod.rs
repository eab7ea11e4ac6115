//! The sweep file, resolved: what a sweep is before its grid is expanded, and how settings become
//! a [`run::RunSpec`]. Knows nothing of the store, of processes or of what is already done.

pub mod eval;
pub mod run;
pub mod sweep;
