//! Draws a schedule of evils from a seed. Pure: the same seed gives the same schedule, though not
//! the same moments, which are the machine's.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::failpoint::Point;

/// Random numbers of one round.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64, round: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&round.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The bias of a 64-bit product does not matter here.
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// Returns whether it comes to pass that has `percent` chances in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let place = self.below(all.len() as u64) as usize;
        all.get(place).copied()
    }
}

/// Something evil, while a controller lives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Evil {
    /// SIGKILL to a worker.
    KillWorker,
    /// SIGKILL to every worker.
    KillWorkers,
    /// SIGSTOP to the controller, and SIGCONT after so many milliseconds.
    FreezeController(u64),
    /// SIGSTOP to a worker, for good: its deadline or its silence must end it.
    FreezeWorker,
    /// A second controller on the same state folder, which must be refused.
    SecondController,
}

/// How a controller's life ends, unless its work is done before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    /// SIGKILL; its workers go on.
    Killed,
    /// SIGKILL to it and to all workers.
    WithAllWorkers,
    /// All are gone, what was not synced is lost, and the next controller meets another boot.
    PowerCut,
    /// SIGTERM, as from an impatient user: once politely, and then by SIGKILL.
    Asked,
}

/// A controller's life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Where it or its workers die by themselves, and the how manieth time.
    pub(crate) points: Vec<(Point, u64)>,
    /// Hours by which its wall clock is wrong.
    pub(crate) hours: i64,
    /// What happens to it, each after so many milliseconds.
    pub(crate) evils: Vec<(u64, Evil)>,
    /// Milliseconds after which it ends, and how.
    pub(crate) death: (u64, Death),
}

/// How a round goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Milliseconds between two evils, at most.
    pub(crate) between: u64,
    /// Evils of a life, at most.
    pub(crate) evils: u64,
    /// Whether attempts have a deadline or may not be silent, so that frozen workers end.
    pub(crate) deadline: bool,
}

impl Life {
    pub(crate) fn draw(dice: &mut Dice, pace: Pace) -> Self {
        let mut points = Vec::new();
        for _ in 0..dice.below(4) {
            points.extend(dice.one_of(&Point::ALL).map(|point| (point, 1 + dice.below(8))));
        }
        let evils = (0..dice.below(pace.evils + 1))
            .map(|_| (dice.below(pace.between), evil(dice, pace.deadline)))
            .collect();
        // Deadlines take their time.
        let wait = if pace.deadline { 3_000 } else { 2 * pace.between };
        let death = match dice.below(10) {
            0..4 => Death::Killed,
            4..7 => Death::WithAllWorkers,
            7..9 => Death::PowerCut,
            _ => Death::Asked,
        };
        Self {
            points,
            hours: if dice.chance(if pace.deadline { 60 } else { 20 }) {
                dice.one_of(&[-1, 1, 24]).unwrap_or(0)
            } else {
                0
            },
            evils,
            death: (dice.below(wait), death),
        }
    }
}

fn evil(dice: &mut Dice, deadline: bool) -> Evil {
    if deadline && dice.chance(60) {
        return Evil::FreezeWorker;
    }
    match dice.below(100) {
        0..80 => Evil::KillWorker,
        80..90 => Evil::KillWorkers,
        90..99 => Evil::FreezeController(dice.below(100)),
        _ => Evil::SecondController,
    }
}
