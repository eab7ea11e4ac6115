//! The sources keep to the layer table of ARCHITECTURE.md.
