//! What the encoder reaches untrained: a method that stays below it has learned nothing that
//! counts. Knows nothing of cells.

use std::collections::BTreeMap;

use super::estimate::Estimate;
use super::gathered::Gathered;

/// How the untrained encoder was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FloorKind {
    /// As it was initialised.
    Plain,
    /// With BatchNorm statistics taken from the training images, as a trained encoder has them.
    Calibrated,
}

impl FloorKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Calibrated];

    /// Returns the name of a metric of the trained encoder as the store has it for this floor.
    pub fn key(self, metric: &str) -> String {
        match self {
            Self::Plain => format!("floor_{metric}"),
            Self::Calibrated => format!("floor_calibrated_{metric}"),
        }
    }

    /// Returns what it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Plain => "untrained encoder",
            Self::Calibrated => "untrained encoder with calibrated BatchNorm",
        }
    }
}

/// The floors of a sweep whose trials share encoder and images; empty for other sweeps, where one
/// level would be a mean over different things.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Floors(BTreeMap<String, Estimate>);

impl Floors {
    /// Takes the floors of all trials. A seed counts once: its trials start from equal weights.
    pub fn of(gathered: &Gathered) -> Self {
        let mut runs = gathered.trials.iter().map(|trial| &trial.run);
        let Some(first) = runs.next() else { return Self::default() };
        if !runs.all(|run| run.encoder == first.encoder && run.data == first.data) {
            return Self::default();
        }
        let seeds: BTreeMap<_, u64> =
            gathered.trials.iter().map(|trial| (&trial.train_key, trial.run.seed)).collect();
        let mut by_seed: BTreeMap<&str, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
        for row in &gathered.finals {
            let Some(seed) = seeds.get(&row.train_key) else { continue };
            for (name, value) in row.values.iter().filter(|(name, _)| name.starts_with("floor_")) {
                by_seed.entry(name).or_default().entry(*seed).or_default().push(*value);
            }
        }
        let estimate = |(name, seeds): (&str, BTreeMap<u64, Vec<f64>>)| {
            let means = seeds.into_values().filter_map(Estimate::of).map(|seed| seed.mean);
            Some((name.to_owned(), Estimate::of(means)?))
        };
        Self(by_seed.into_iter().filter_map(estimate).collect())
    }

    /// Returns a floor of a metric.
    pub fn get(&self, kind: FloorKind, metric: &str) -> Option<Estimate> {
        self.0.get(&kind.key(metric)).copied()
    }

    /// Returns the highest floor of a metric: the one that a method must exceed.
    pub fn highest(&self, metric: &str) -> Option<(FloorKind, Estimate)> {
        let known =
            FloorKind::ALL.into_iter().filter_map(|kind| Some((kind, self.get(kind, metric)?)));
        known.max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::spec::run::EncoderSpec;

    #[test]
    fn a_seed_counts_once_and_the_highest_floor_is_the_level() {
        let floors = Floors::of(&samples::batch_sweep());
        let plain = floors.get(FloorKind::Plain, "linear_top1").unwrap();
        assert_eq!(plain.n, 3);
        assert!((plain.mean - 0.403).abs() < 1e-12);
        let (kind, highest) = floors.highest("linear_top1").unwrap();
        assert_eq!(kind, FloorKind::Calibrated);
        assert!((highest.mean - 0.433).abs() < 1e-12);
        assert_eq!(floors.highest("loss"), None);
    }

    #[test]
    fn encoders_of_several_kinds_have_no_common_floor() {
        let mut gathered = samples::batch_sweep();
        gathered.trials[0].run.encoder = EncoderSpec::Convnet { width: 1.0 };
        assert_eq!(Floors::of(&gathered), Floors::default());
    }
}
