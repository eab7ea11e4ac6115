//! What `make chaos` and `cargo test` ask for, by environment variables.

use std::path::PathBuf;

/// See the module.
pub(crate) struct Options {
    /// Kills to do in all.
    pub(crate) kills: u64,
    /// Of these, at least so many of real training workers.
    pub(crate) real: u64,
    /// What all evils are drawn from.
    pub(crate) seed: u64,
    /// Worker that trains, where there is one.
    pub(crate) worker: Option<PathBuf>,
    /// Where to keep what was printed.
    pub(crate) log: Option<PathBuf>,
}

impl Options {
    /// Reads them; `None` where the arguments ask for tests of other names.
    pub(crate) fn read(arguments: &[String]) -> Option<Self> {
        let asks_for_others = |word: &String| match word.strip_prefix("--") {
            Some(flag) => matches!(flag, "list" | "ignored"),
            None => !word.starts_with('-') && !"chaos".contains(word.as_str()),
        };
        if arguments.iter().any(asks_for_others) {
            return None;
        }
        let variable = |name: &str| std::env::var(format!("BYOL_SWEEP_CHAOS_{name}")).ok();
        let number = |name: &str| variable(name).map(|text| text.parse().expect("a number"));
        let built = option_env!("CARGO_BIN_EXE_byol-sweep-worker").map(PathBuf::from);
        let built = built.filter(|path| path.is_file());
        let worker = variable("WORKER").map(PathBuf::from).or(built);
        let kills = number("KILLS").unwrap_or(300);
        let real = if worker.is_some() { number("REAL").unwrap_or(kills / 10) } else { 0 };
        Some(Self {
            kills,
            real,
            seed: number("SEED").unwrap_or(1),
            worker,
            log: variable("LOG").filter(|path| !path.is_empty()).map(PathBuf::from),
        })
    }
}
