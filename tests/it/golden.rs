//! Training arithmetic against vectors that are not ours.
