//! The door to a live controller.
