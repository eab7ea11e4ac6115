//! Every sweep that ships plans.
