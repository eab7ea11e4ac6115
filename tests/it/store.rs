//! The store's contract.
