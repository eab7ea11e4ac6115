//! How much of a GPU's memory attempts take: measured from those that ran, and from these for those
//! that did not run yet. Pure. Attempts with equal estimates are of one class.

use std::collections::{BTreeMap, BTreeSet};

/// What a process takes beside what its tensors do: context, kernels, workspaces.
const CONTEXT: u64 = 512 << 20;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Appetite {
    /// Estimated bytes of all classes that may start.
    classes: BTreeSet<u64>,
    /// Measured bytes by class.
    measured: BTreeMap<u64, u64>,
}

impl Appetite {
    /// Takes the estimates of all attempts that may start.
    pub fn of(estimates: impl IntoIterator<Item = u64>) -> Self {
        Self { classes: estimates.into_iter().collect(), measured: BTreeMap::new() }
    }

    /// Notes the most that the tensors of an attempt took.
    pub fn tensors(&mut self, class: u64, bytes: u64) {
        self.note(class, bytes.saturating_add(CONTEXT));
    }

    /// Notes what the driver says that a whole process takes, of a class that is measured already:
    /// before that it may be far from its peak.
    pub fn process(&mut self, class: u64, bytes: u64) {
        if self.measured.contains_key(&class) {
            self.note(class, bytes);
        }
    }

    fn note(&mut self, class: u64, bytes: u64) {
        let known = self.measured.entry(class).or_default();
        *known = bytes.max(*known);
    }

    /// Returns whether an attempt of this class has been measured.
    pub fn knows(&self, class: u64) -> bool {
        self.measured.contains_key(&class)
    }

    /// Returns what any attempt may take at most; `None` while nothing is measured. Classes that
    /// did not run are taken to exceed their estimate as much as the worst that did.
    pub fn most(&self) -> Option<u64> {
        let excess = |(&class, &bytes): (&u64, &u64)| bytes as f64 / class.max(1) as f64;
        let worst = self.measured.iter().map(excess).max_by(f64::total_cmp)?;
        let need = |class: &u64| match self.measured.get(class) {
            Some(&bytes) => bytes,
            None => (*class as f64 * worst.max(1.0)).ceil() as u64,
        };
        self.classes.iter().chain(self.measured.keys()).map(need).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn nothing_is_known_before_the_first_measure() {
        let mut appetite = Appetite::of([100 * MIB]);
        assert_eq!(appetite.most(), None);
        appetite.process(100 * MIB, 50 * MIB);
        assert_eq!(appetite.most(), None, "it may still grow");
        appetite.tensors(100 * MIB, 100 * MIB);
        assert_eq!(appetite.most(), Some(612 * MIB));
        assert!(appetite.knows(100 * MIB) && !appetite.knows(MIB));
    }

    #[test]
    fn the_larger_of_what_worker_and_driver_say_counts() {
        let mut appetite = Appetite::of([1024 * MIB]);
        appetite.tensors(1024 * MIB, 1024 * MIB);
        appetite.process(1024 * MIB, 3000 * MIB);
        appetite.process(1024 * MIB, 2000 * MIB);
        assert_eq!(appetite.most(), Some(3000 * MIB));
    }

    #[test]
    fn a_class_that_did_not_run_is_scaled_by_the_worst_that_did() {
        let mut appetite = Appetite::of([1000 * MIB, 4000 * MIB]);
        appetite.tensors(1000 * MIB, 1000 * MIB);
        appetite.process(1000 * MIB, 2000 * MIB);
        assert_eq!(appetite.most(), Some(8000 * MIB));
        appetite.tensors(4000 * MIB, 4000 * MIB);
        assert_eq!(appetite.most(), Some(4512 * MIB));
    }
}
