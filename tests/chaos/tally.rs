//! Counts what was done, and to whom.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::arena::Kind;
use crate::failpoint::Point;

/// Whom a kill met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Controller,
    Worker(Kind),
}

impl Whose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controllers",
            Self::Worker(Kind::Fake) => "fast workers",
            Self::Worker(Kind::Real) => "training workers",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    kills: BTreeMap<(Whose, &'static str), u64>,
    evils: BTreeMap<&'static str, u64>,
    pub(crate) sweeps: u64,
    pub(crate) trials: u64,
    attempts: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn kill(&mut self, whose: Whose, how: &'static str) {
        *self.kills.entry((whose, how)).or_default() += 1;
    }

    /// Counts a point that killed somebody.
    pub(crate) fn point(&mut self, point: Point, kind: Kind) {
        let whose =
            if point.is_of_the_controller() { Whose::Controller } else { Whose::Worker(kind) };
        self.kill(whose, point.as_str());
    }

    /// Counts something evil that killed nobody by itself.
    pub(crate) fn evil(&mut self, what: &'static str, times: u64) {
        *self.evils.entry(what).or_default() += times;
    }

    /// Counts an attempt by how it ended.
    pub(crate) fn attempt(&mut self, ended: Option<&String>) {
        let how = ended.cloned().unwrap_or_else(|| "not at all".into());
        *self.attempts.entry(how).or_default() += 1;
    }

    pub(crate) fn kills(&self) -> u64 {
        self.kills.values().sum()
    }

    pub(crate) fn kills_of(&self, whose: Whose) -> u64 {
        self.kills.iter().filter(|((of, _), _)| *of == whose).map(|(_, count)| count).sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (key, count) in &other.kills {
            *self.kills.entry(*key).or_default() += count;
        }
        for (what, count) in &other.evils {
            *self.evils.entry(what).or_default() += count;
        }
        self.sweeps += other.sweeps;
        self.trials += other.trials;
        for (how, count) in &other.attempts {
            *self.attempts.entry(how.clone()).or_default() += count;
        }
    }

    /// Returns all counts as lines.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut last = None;
        for ((whose, how), count) in &self.kills {
            if last != Some(*whose) {
                let all = self.kills_of(*whose);
                let _ = writeln!(text, "kills of {}: {all}", whose.as_str());
                last = Some(*whose);
            }
            let _ = writeln!(text, "  {how:<28} {count:>7}");
        }
        let _ = writeln!(text, "other evils");
        for (what, count) in &self.evils {
            let _ = writeln!(text, "  {what:<28} {count:>7}");
        }
        let attempts: u64 = self.attempts.values().sum();
        let _ = writeln!(text, "attempts: {attempts}, which ended as");
        for (how, count) in &self.attempts {
            let _ = writeln!(text, "  {how:<28} {count:>7}");
        }
        text
    }
}
