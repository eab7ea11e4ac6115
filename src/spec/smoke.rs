//! A smoke run of a sweep: every cell for two epochs with one seed, to see that everything runs
//! before days are spent. A change of the sweep, made before its plan; knows nothing of plans.

use super::{RawSweep, SpecError};

/// Epochs of a smoke run: one from the first weights, one from trained ones.
pub const SMOKE_EPOCHS: u32 = 2;

/// What the name of a smoke run ends with.
const SUFFIX: &str = "-smoke";

/// Keys that a smoke run sets itself.
pub const SMOKE_SETS: [&str; 2] = ["epochs", "warmup_epochs"];

/// Returns the name of the sweep that a smoke run tries.
pub fn tried_by(smoke: &str) -> &str {
    smoke.strip_suffix(SUFFIX).unwrap_or(smoke)
}

impl RawSweep {
    /// Turns the sweep into a smoke run of itself: another name, so that results stay apart, and
    /// nothing to compare with. Returns `overrides` with what it adds to them.
    ///
    /// # Errors
    /// Returns everything that is wrong with the overrides.
    pub fn into_smoke_run(
        mut self,
        mut overrides: Vec<(String, String)>,
    ) -> Result<(Self, Vec<(String, String)>), SpecError> {
        // They may change the seeds and the description.
        let mut changed = self.clone();
        changed.override_with(&overrides)?;
        let said = &changed.tables;
        let about = match said.meta.description.as_str() {
            "" => &said.meta.name,
            description => description,
        };
        let description = format!("Smoke run: {about}");
        let seed = said.seeds.first().copied().unwrap_or(0);
        self.tables.meta.name += SUFFIX;
        self.tables.meta.reproduces = None;
        self.tables.meta.scale = super::sweep::Scale::Smoke;
        let mut add = |key: &str, value: String| overrides.push((key.to_owned(), value));
        add("epochs", SMOKE_EPOCHS.to_string());
        add("warmup_epochs", "0".to_owned());
        add("replicates.seeds", format!("[{seed}]"));
        add("description", toml::Value::String(description).to_string());
        Ok((self, overrides))
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::sweep::Scale;
    use super::*;

    const FILE: &str = "schema = 1\nname = \"big\"\ndescription = \"Says \\\"so\\\"\"\nreproduces = \"ablation_batch_size\"\n[base]\ndata.name = \"shapes\"\n[replicates]\nseeds = [7, 8]\n";

    fn smoke(set: &[(&str, &str)]) -> RawSweep {
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (mut sweep, overrides) = parse("big.toml", FILE).unwrap().into_smoke_run(set).unwrap();
        sweep.override_with(&overrides).unwrap();
        sweep
    }

    #[test]
    fn a_smoke_run_is_another_sweep_with_one_seed_and_nothing_to_compare_with() {
        let sweep = smoke(&[]);
        let meta = &sweep.tables.meta;
        assert_eq!((meta.name.as_str(), &meta.reproduces), ("big-smoke", &None));
        assert_eq!(meta.description, "Smoke run: Says \"so\"");
        assert_eq!((meta.scale, sweep.tables.seeds.as_slice()), (Scale::Smoke, [7].as_slice()));
        assert_eq!(tried_by(&meta.name), "big");
    }

    #[test]
    fn what_was_set_is_in_it() {
        let sweep = smoke(&[("replicates.seeds", "[3, 4]"), ("description", "mine")]);
        assert_eq!(sweep.tables.seeds, [3]);
        assert_eq!(sweep.tables.meta.description, "Smoke run: mine");
    }

    #[test]
    fn the_keys_that_it_sets_are_settings() {
        let overrides = parse("big.toml", FILE).unwrap().into_smoke_run(Vec::new()).unwrap().1;
        let settings: Vec<&str> = overrides
            .iter()
            .map(|(key, _)| key.as_str())
            .filter(|key| super::super::Key::named(key).is_some())
            .collect();
        assert_eq!(settings, SMOKE_SETS);
    }
}
