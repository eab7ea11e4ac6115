//! What people see on a terminal while things run.
