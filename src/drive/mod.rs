//! The loop: gathers inputs, asks the scheduler, performs its actions.

pub mod event;
