//! `[early_stop]`: which policy stops settings that fall behind, and what it goes by. Reads and
//! checks the table; the decisions are the scheduler's.

use serde::{Deserialize, Serialize};

use super::error::{Fault, Faults, Site, Source};
use super::keys::nearest;
use super::read::Entry;
use super::run::canonical;
use super::tables::{each, set, small, text};

/// The only metric that a policy may go by: the probe's accuracy on training images.
pub const METRIC: &str = "knn_probe_top1";

/// Training images below which there is no probe.
const PROBED_FROM: u32 = 16;

/// Settings that a group is compared with before the median rule says anything.
pub const FEWEST_OTHERS: usize = 3;

/// Metrics that are measured on test images; `floor_` may stand before each.
const ON_TEST_IMAGES: [&str; 4] = ["knn_top1", "knn_top5", "linear_top1", "linear_top5"];

/// Keys of the table.
pub(crate) const KEYS: &[&str] =
    &["policy", "metric", "warmup", "every", "min_epochs", "reduction"];

/// When to stop settings that fall behind; no part of any identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum EarlyStop {
    /// The median stopping rule.
    Median {
        /// Epoch of the first decision.
        warmup: u32,
        /// Epochs from one decision to the next.
        every: u32,
    },
    /// Asynchronous successive halving.
    Asha {
        /// Epoch of the first rung.
        min_epochs: u32,
        /// One of so many goes on, and the next rung is so many times as far.
        reduction: u32,
    },
}

impl EarlyStop {
    /// Returns the policy as a text that is equal for equal policies: decisions are kept under it.
    pub fn identity(&self) -> String {
        canonical(self)
    }

    /// Returns the epochs after which it decides, of trials of that many epochs. The last epoch is
    /// none of them: nothing is left to save.
    pub fn rungs(&self, epochs: u32) -> Vec<u32> {
        let (first, next): (u32, Box<dyn Fn(u32) -> Option<u32>>) = match *self {
            Self::Median { warmup, every } => (warmup, Box::new(move |e| e.checked_add(every))),
            Self::Asha { min_epochs, reduction } => {
                (min_epochs, Box::new(move |e| e.checked_mul(reduction)))
            }
        };
        std::iter::successors(Some(first), |epoch| next(*epoch))
            .take_while(|epoch| *epoch < epochs)
            .collect()
    }

    /// Returns how many settings there must be for it to decide anything.
    pub fn fewest_groups(&self) -> usize {
        match *self {
            Self::Median { .. } => FEWEST_OTHERS + 1,
            Self::Asha { reduction, .. } => reduction as usize,
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Median { .. } => "median",
            Self::Asha { .. } => "asha",
        }
    }
}

/// A policy's word in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    None,
    Median,
    Asha,
}

/// Names of the policies.
const POLICIES: [(&str, Policy); 3] =
    [("none", Policy::None), ("median", Policy::Median), ("asha", Policy::Asha)];

/// A value with its place.
type Said<T> = Option<(T, Site)>;

/// The table as far as it was said; `--set` may add to it key by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// Where the table begins.
    site: Option<Site>,
    policy: Said<Policy>,
    warmup: Said<u32>,
    every: Said<u32>,
    min_epochs: Said<u32>,
    reduction: Said<u32>,
}

/// What a sweep is, as far as a policy depends on it.
pub(crate) struct Compared {
    /// Epochs of each setting.
    pub(crate) epochs: Vec<u32>,
    /// Whether all train on the same images.
    pub(crate) same_images: bool,
    /// How many these are, where the file tells.
    pub(crate) images: Option<u32>,
}

impl Draft {
    /// Reads the table, or one key of it.
    pub(crate) fn read(&mut self, source: &Source, entry: &Entry<'_, '_>, faults: &mut Faults) {
        self.site.get_or_insert_with(|| entry.key_site.clone());
        each(source, "early_stop", entry, KEYS, faults, |entry, faults| {
            let mut epochs = |field: &mut Said<u32>, path, low, high| {
                let value = faults.keep(small(path, entry, low, high));
                set(field, value.map(|value| Some((value, entry.key_site.clone()))));
            };
            match entry.name {
                "warmup" => epochs(&mut self.warmup, "early_stop.warmup", 1, 1_000_000),
                "every" => epochs(&mut self.every, "early_stop.every", 1, 1_000_000),
                "min_epochs" => {
                    epochs(&mut self.min_epochs, "early_stop.min_epochs", 1, 1_000_000);
                }
                "reduction" => epochs(&mut self.reduction, "early_stop.reduction", 2, 100),
                "metric" => {
                    faults.keep(metric(entry));
                }
                _ => {
                    let policy = faults.keep(policy(entry));
                    set(&mut self.policy, policy.map(|policy| Some((policy, entry.site.clone()))));
                }
            }
        });
    }

    /// Returns the policy, where one is asked for and the table is complete.
    fn policy(&self) -> Result<Option<(EarlyStop, &Site)>, Fault> {
        let Some(table) = &self.site else { return Ok(None) };
        let Some((policy, site)) = &self.policy else {
            let fault = Fault::new("[early_stop] does not say `policy`", table, "no policy");
            return Err(fault.help(format!("valid: {}", names().join(", "))));
        };
        let early = match policy {
            Policy::None => return Ok(None),
            Policy::Median => {
                refuse("min_epochs", "median", &self.min_epochs)?;
                refuse("reduction", "median", &self.reduction)?;
                EarlyStop::Median {
                    warmup: must("warmup", "median", &self.warmup, site)?,
                    every: self.every.as_ref().map_or(1, |(every, _)| *every),
                }
            }
            Policy::Asha => {
                refuse("warmup", "asha", &self.warmup)?;
                refuse("every", "asha", &self.every)?;
                EarlyStop::Asha {
                    min_epochs: must("min_epochs", "asha", &self.min_epochs, site)?,
                    reduction: self.reduction.as_ref().map_or(3, |(reduction, _)| *reduction),
                }
            }
        };
        Ok(Some((early, site)))
    }

    /// Returns the policy for a sweep of these settings.
    ///
    /// # Errors
    /// Fails where the table is not complete, where the settings cannot be compared, and where the
    /// policy would never decide anything.
    pub(crate) fn resolve(&self, compared: &Compared) -> Result<Option<EarlyStop>, Fault> {
        let Some((early, site)) = self.policy()? else { return Ok(None) };
        let first = compared.epochs.first().copied().unwrap_or(0);
        let unlike = |what: &str, why: &str| {
            let message = format!("early stopping compares settings epoch by epoch, but {what}");
            Err(Fault::new(message, site, "cannot compare").help(why))
        };
        if compared.epochs.iter().any(|epochs| *epochs != first) {
            return unlike(
                "`epochs` varies",
                "schedules of other lengths are elsewhere in their course at the same epoch: leave [early_stop] out of this sweep",
            );
        }
        if !compared.same_images {
            return unlike(
                "`data` varies",
                "accuracies on other images cannot be compared: leave [early_stop] out of this sweep",
            );
        }
        if let Some(images) = compared.images.filter(|images| *images < PROBED_FROM) {
            return unlike(
                &format!("there is no `{METRIC}` of {images} training images"),
                &format!("the probe needs {PROBED_FROM} training images"),
            );
        }
        let never =
            |message: String, help: String| Err(Fault::new(message, site, "never acts").help(help));
        let (groups, fewest) = (compared.epochs.len(), early.fewest_groups());
        if groups < fewest {
            return never(
                format!("`early_stop.policy = \"{}\"` decides among {fewest} settings or more; this sweep has {groups}", early.name()),
                "seeds of one setting are not compared with each other; leave [early_stop] out, or set `early_stop.policy = \"none\"`".to_owned(),
            );
        }
        if early.rungs(first).is_empty() {
            return never(
                format!(
                    "`early_stop` would decide for the first time when the {first} epochs are over"
                ),
                "lower `early_stop.warmup` or `early_stop.min_epochs`, or leave [early_stop] out"
                    .to_owned(),
            );
        }
        Ok(Some(early))
    }
}

fn names() -> [&'static str; 3] {
    POLICIES.map(|(name, _)| name)
}

fn policy(entry: &Entry<'_, '_>) -> Result<Policy, Fault> {
    let word = text("early_stop.policy", entry)?;
    if let Some((_, policy)) = POLICIES.iter().find(|(name, _)| *name == word) {
        return Ok(*policy);
    }
    let message = format!("`early_stop.policy` does not take {word:?}");
    let list = names().join(", ");
    Err(Fault::new(message, &entry.site, "no such policy").help(match nearest(&word, names()) {
        Some(known) => format!("did you mean \"{known}\"? valid: {list}"),
        None => format!("valid: {list}"),
    }))
}

/// Checks the metric: there is one that neither sees test images nor means something else in
/// another method.
fn metric(entry: &Entry<'_, '_>) -> Result<(), Fault> {
    let name = text("early_stop.metric", entry)?;
    if name == METRIC {
        return Ok(());
    }
    let refused = |why: &str, label: &str, help: String| {
        let message = format!("`early_stop.metric` cannot be {name:?}: {why}");
        Err(Fault::new(message, &entry.site, label).help(help))
    };
    let instead =
        || format!("use `{METRIC}`, which guesses training images; see docs/diagnostics.md");
    let plain = name.strip_prefix("floor_calibrated_").or_else(|| name.strip_prefix("floor_"));
    if ON_TEST_IMAGES.contains(&plain.unwrap_or(&name)) {
        let why = "it is measured on test images, and what is chosen by them is no result on them";
        return refused(why, "sees test images", instead());
    }
    match nearest(&name, [METRIC]) {
        Some(known) => {
            refused("there is no such metric", "unknown", format!("did you mean `{known}`?"))
        }
        None => {
            let why = "settings are compared by accuracy while they train, and by nothing else";
            refused(why, "not that accuracy", instead())
        }
    }
}

/// Refuses a key that another policy has.
fn refuse(key: &str, policy: &str, said: &Said<u32>) -> Result<(), Fault> {
    match said {
        None => Ok(()),
        Some((_, site)) => {
            let message = format!("`early_stop.{key}` cannot act with `policy = \"{policy}\"`");
            let valid = match policy {
                "median" => "warmup, every",
                _ => "min_epochs, reduction",
            };
            Err(Fault::new(message, site, "cannot act").help(format!("valid with it: {valid}")))
        }
    }
}

fn must(key: &str, policy: &str, said: &Said<u32>, site: &Site) -> Result<u32, Fault> {
    said.as_ref().map(|(value, _)| *value).ok_or_else(|| {
        let message = format!("`policy = \"{policy}\"` needs `early_stop.{key}`");
        Fault::new(message, site, "not said").help(format!("add `{key} = <epochs>`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_end_before_the_last_epoch() {
        let median = EarlyStop::Median { warmup: 10, every: 5 };
        assert_eq!(median.rungs(21), [10, 15, 20]);
        assert_eq!(median.rungs(20), [10, 15]);
        let asha = EarlyStop::Asha { min_epochs: 3, reduction: 3 };
        assert_eq!(asha.rungs(80), [3, 9, 27]);
        assert_eq!(asha.rungs(3), [0; 0]);
        let far = EarlyStop::Asha { min_epochs: 1_000_000, reduction: 100 };
        assert_eq!(far.rungs(u32::MAX), [1_000_000, 100_000_000]);
    }

    #[test]
    fn the_identity_tells_policies_apart_and_comes_back() {
        let asha = EarlyStop::Asha { min_epochs: 3, reduction: 3 };
        assert_eq!(asha.identity(), r#"{"min_epochs":3,"policy":"asha","reduction":3}"#);
        let again: EarlyStop = serde_json::from_str(&asha.identity()).unwrap();
        assert_eq!(again, asha);
        assert_ne!(asha.identity(), EarlyStop::Asha { min_epochs: 3, reduction: 4 }.identity());
    }
}
