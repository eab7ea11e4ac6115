//! The sweeps that ship, embedded: a name finds them wherever the program runs.

/// A sweep file that ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Path below `sweeps/`.
    pub path: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        &[$(Shipped {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sweeps/", $path)),
        }),*]
    };
}

/// Every file of `sweeps/`; a test compares the two.
pub const ALL: &[Shipped] = shipped![
    "quickstart.toml",
    "batch_ablation.toml",
    "augmentation_ablation.toml",
    "tau_ablation.toml",
    "shapes/batch.toml",
    "shapes/augmentation.toml",
    "shapes/tau.toml",
    "cifar10/convnet_batch.toml",
    "paper/batch_size.toml",
    "paper/augmentations.toml",
    "paper/target_modes.toml",
];

impl Shipped {
    /// Returns the path without folder and ending: what is usually typed.
    pub fn stem(&self) -> &'static str {
        let file = self.path.rsplit('/').next().unwrap_or(self.path);
        file.strip_suffix(".toml").unwrap_or(file)
    }

    fn answers_to(&self, typed: &str) -> bool {
        let typed = typed.strip_prefix("sweeps/").unwrap_or(typed);
        let typed = typed.strip_suffix(".toml").unwrap_or(typed);
        self.path.strip_suffix(".toml") == Some(typed) || self.stem() == typed
    }
}

/// Returns the shipped sweep of that name: `tau_ablation`, `tau_ablation.toml`, `shapes/tau`,
/// `sweeps/shapes/tau.toml`.
pub fn find(typed: &str) -> Option<&'static Shipped> {
    ALL.iter().find(|shipped| shipped.answers_to(typed))
}

/// Returns the name nearest to what was typed, if one is near.
pub fn nearest(typed: &str) -> Option<&'static str> {
    let typed = typed.rsplit('/').next().unwrap_or(typed);
    let typed = typed.strip_suffix(".toml").unwrap_or(typed);
    ALL.iter()
        .map(|shipped| (strsim::jaro_winkler(typed, shipped.stem()), shipped.stem()))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, stem)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_file() {
        for shipped in ALL {
            let answering = ALL.iter().filter(|other| other.answers_to(shipped.stem())).count();
            assert_eq!(answering, 1, "{}", shipped.path);
        }
    }

    #[test]
    fn a_sweep_is_found_by_every_form_of_its_name() {
        for typed in ["shapes/tau", "shapes/tau.toml", "sweeps/shapes/tau.toml", "tau", "tau.toml"]
        {
            assert_eq!(find(typed).map(|s| s.path), Some("shapes/tau.toml"), "{typed}");
        }
        assert_eq!(find("nothing"), None);
        assert_eq!(nearest("sweeps/quikstart.toml"), Some("quickstart"));
        assert_eq!(nearest("zzz"), None);
    }
}
