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
    "shapes/byol_simclr_variants.toml",
    "shapes/byol_simclr_variants_sg.toml",
    "shapes/beta_temperature.toml",
    "shapes/head_depth.toml",
    "shapes/projection_dim.toml",
    "shapes/learning_rate.toml",
    "shapes/weight_decay.toml",
    "shapes/loss_normalization.toml",
    "shapes/predictor_lr.toml",
    "shapes/projector_predictor_lr.toml",
    "shapes/optimal_predictor.toml",
    "shapes/seed_experiment.toml",
    "cifar10/convnet_batch.toml",
    "cifar10/byol_simclr_variants.toml",
    "cifar10/byol_simclr_variants_sg.toml",
    "cifar10/beta_temperature.toml",
    "cifar10/head_depth.toml",
    "cifar10/projection_dim.toml",
    "cifar10/learning_rate.toml",
    "cifar10/weight_decay.toml",
    "cifar10/loss_normalization.toml",
    "cifar10/predictor_lr.toml",
    "cifar10/projector_predictor_lr.toml",
    "cifar10/optimal_predictor.toml",
    "cifar10/seed_experiment.toml",
    "paper/batch_size.toml",
    "paper/augmentations.toml",
    "paper/target_modes.toml",
    "paper/byol_simclr_variants.toml",
    "paper/byol_simclr_variants_sg.toml",
    "paper/beta_temperature.toml",
    "paper/head_depth.toml",
    "paper/projection_dim.toml",
    "paper/learning_rate.toml",
    "paper/weight_decay.toml",
    "paper/loss_normalization.toml",
    "paper/predictor_lr.toml",
    "paper/projector_predictor_lr.toml",
    "paper/optimal_predictor.toml",
    "paper/seed_experiment.toml",
];

impl Shipped {
    /// Returns the path without its ending, which no other sweep has: `shapes/tau`.
    pub fn name(&self) -> &'static str {
        self.path.strip_suffix(".toml").unwrap_or(self.path)
    }

    /// Returns the name without its folder, which is typed where no other sweep has it: `tau`.
    pub fn stem(&self) -> &'static str {
        self.name().rsplit('/').next().unwrap_or(self.name())
    }
}

/// Returns the shipped sweep of that name: `tau_ablation`, `tau_ablation.toml`, `shapes/tau`,
/// `sweeps/shapes/tau.toml`; without a folder where only one sweep is called so.
pub fn find(typed: &str) -> Option<&'static Shipped> {
    let name = bare(typed);
    if let Some(exact) = ALL.iter().find(|shipped| shipped.name() == name) {
        return Some(exact);
    }
    match namesakes(name).as_slice() {
        [only] => Some(*only),
        [] | [_, ..] => None,
    }
}

/// Returns what may have been meant by a name that finds no sweep, in words.
pub fn hint(typed: &str) -> String {
    let name = bare(typed);
    let namesakes: Vec<String> =
        namesakes(name).iter().map(|shipped| format!("`{}`", shipped.name())).collect();
    if let [first @ .., last] = namesakes.as_slice()
        && !first.is_empty()
    {
        return format!("say which one is meant: {} or {last}", first.join(", "));
    }
    match nearest(name) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names()),
    }
}

/// Returns all names, those of a folder together: `quickstart, shapes/{batch, tau}`.
pub fn names() -> String {
    let mut folders: Vec<(&str, Vec<&str>)> = Vec::new();
    for shipped in ALL {
        let folder = shipped.name().strip_suffix(shipped.stem()).unwrap_or_default();
        match folders.last_mut().filter(|(last, _)| *last == folder) {
            Some((_, stems)) => stems.push(shipped.stem()),
            None => folders.push((folder, vec![shipped.stem()])),
        }
    }
    let words = |(folder, stems): &(&str, Vec<&str>)| match *folder {
        "" => stems.join(", "),
        folder => format!("{folder}{{{}}}", stems.join(", ")),
    };
    folders.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn bare(typed: &str) -> &str {
    let typed = typed.strip_prefix("sweeps/").unwrap_or(typed);
    typed.strip_suffix(".toml").unwrap_or(typed)
}

fn namesakes(stem: &str) -> Vec<&'static Shipped> {
    ALL.iter().filter(|shipped| shipped.stem() == stem).collect()
}

/// The name nearest to what was typed, if one is near.
fn nearest(name: &str) -> Option<&'static str> {
    let similarity = |shipped: &Shipped| {
        let (own, other) = match name.contains('/') {
            true => (shipped.name(), name),
            false => (shipped.stem(), name),
        };
        strsim::jaro_winkler(own, other)
    };
    // Of equally near ones the first: its trials are the shortest.
    ALL.iter()
        .rev()
        .map(|shipped| (similarity(shipped), shipped.name()))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_file() {
        for shipped in ALL {
            assert_eq!(find(shipped.name()), Some(shipped));
            assert_eq!(find(&format!("sweeps/{}", shipped.path)), Some(shipped));
        }
    }

    #[test]
    fn a_sweep_is_found_by_every_form_of_its_name() {
        for typed in ["shapes/tau", "shapes/tau.toml", "sweeps/shapes/tau.toml", "tau", "tau.toml"]
        {
            assert_eq!(find(typed).map(|s| s.path), Some("shapes/tau.toml"), "{typed}");
        }
        assert_eq!(find("nothing"), None);
    }

    #[test]
    fn a_name_of_several_sweeps_is_asked_back() {
        assert_eq!(find("head_depth.toml"), None);
        assert_eq!(
            hint("head_depth.toml"),
            "say which one is meant: `shapes/head_depth`, `cifar10/head_depth` or `paper/head_depth`"
        );
        assert_eq!(find("cifar10/head_depth").map(|s| s.path), Some("cifar10/head_depth.toml"));
    }

    #[test]
    fn a_slip_of_the_pen_finds_the_nearest_name() {
        assert_eq!(hint("sweeps/quikstart.toml"), "did you mean `quickstart`?");
        assert_eq!(hint("head_dpeth"), "did you mean `shapes/head_depth`?");
        assert_eq!(hint("paper/head_dpeth"), "did you mean `paper/head_depth`?");
        let all = hint("zzz");
        assert!(all.starts_with("there are quickstart, batch_ablation, "), "{all}");
        assert!(all.contains(", shapes/{batch, augmentation, tau, "), "{all}");
    }
}
