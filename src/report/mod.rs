//! From rows to tables and charts.
