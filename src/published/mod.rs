//! The paper's tables, and which of our cells reproduces which row.
