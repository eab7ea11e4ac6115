//! What a test may do to a debug build from outside: kill it at a named point, and make it believe
//! in another clock, boot or pace. A release build knows none of it. Knows nothing of who asks.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `BYOL_SWEEP_FAILPOINT` | points to die at, by commas: `order-written`, or `events-stored@3` for the third time |
//! | `BYOL_SWEEP_FAILPOINT_MARKS` | folder where each point leaves a file of its name before it kills, and past which nobody dies there again |
//! | `BYOL_SWEEP_TICK_MS`, `BYOL_SWEEP_BACKOFF_MS`, `BYOL_SWEEP_GRACE_MS` | pace of the controller |
//! | `BYOL_SWEEP_WALL_SHIFT_MS` | milliseconds by which the wall clock is wrong |
//! | `BYOL_SWEEP_BOOT_ID` | what the kernel says of this boot |

/// A point where it makes a difference what was done before and what was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    /// Controller: the database is open, its schema not looked at.
    StoreUnmigrated,
    /// Controller: the schema is up to date.
    StoreMigrated,
    /// Controller: the plan is written and not committed.
    PlanUnsynced,
    /// Controller: the plan is committed.
    PlanSynced,
    /// Controller: an attempt's row is written and not committed.
    AttemptUnbegun,
    /// Controller: the row is committed, the order not written.
    AttemptBegun,
    /// Controller: the order is written, the worker not started.
    OrderWritten,
    /// Controller: the worker runs, its handle is not noted.
    WorkerSpawned,
    /// Controller: the handle is noted.
    HandleNoted,
    /// Controller: events are written and not committed.
    EventsUnstored,
    /// Controller: events are committed.
    EventsStored,
    /// Controller: the attempt of a worker that never came is claimed, its end not written.
    AttemptGivenUp,
    /// Controller: it is clear how an attempt ended, and nothing of it is stored.
    AttemptJudged,
    /// Controller: the last events and the outcome are written and not committed.
    AttemptUnended,
    /// Controller: the outcome is committed.
    AttemptEnded,
    /// Worker: it holds the trial's lock and has not claimed the attempt.
    TrialLocked,
    /// Worker: it has claimed the attempt and written no line.
    AttemptClaimed,
    /// Worker: half a line is written.
    LineHalfWritten,
    /// Worker: a checkpoint is complete and does not have its name.
    CheckpointAside,
    /// Worker: the checkpoint has its name and no line tells of it.
    CheckpointRenamed,
    /// Worker: a line tells of the checkpoint.
    CheckpointTold,
    /// Worker: all is done but the last word.
    LastWordUnsaid,
    /// Worker: the last word is written.
    LastWordSaid,
}

impl Point {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 23] = [
        Self::StoreUnmigrated,
        Self::StoreMigrated,
        Self::PlanUnsynced,
        Self::PlanSynced,
        Self::AttemptUnbegun,
        Self::AttemptBegun,
        Self::OrderWritten,
        Self::WorkerSpawned,
        Self::HandleNoted,
        Self::EventsUnstored,
        Self::EventsStored,
        Self::AttemptGivenUp,
        Self::AttemptJudged,
        Self::AttemptUnended,
        Self::AttemptEnded,
        Self::TrialLocked,
        Self::AttemptClaimed,
        Self::LineHalfWritten,
        Self::CheckpointAside,
        Self::CheckpointRenamed,
        Self::CheckpointTold,
        Self::LastWordUnsaid,
        Self::LastWordSaid,
    ];

    /// Returns its name in `BYOL_SWEEP_FAILPOINT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StoreUnmigrated => "store-unmigrated",
            Self::StoreMigrated => "store-migrated",
            Self::PlanUnsynced => "plan-unsynced",
            Self::PlanSynced => "plan-synced",
            Self::AttemptUnbegun => "attempt-unbegun",
            Self::AttemptBegun => "attempt-begun",
            Self::OrderWritten => "order-written",
            Self::WorkerSpawned => "worker-spawned",
            Self::HandleNoted => "handle-noted",
            Self::EventsUnstored => "events-unstored",
            Self::EventsStored => "events-stored",
            Self::AttemptGivenUp => "attempt-given-up",
            Self::AttemptJudged => "attempt-judged",
            Self::AttemptUnended => "attempt-unended",
            Self::AttemptEnded => "attempt-ended",
            Self::TrialLocked => "trial-locked",
            Self::AttemptClaimed => "attempt-claimed",
            Self::LineHalfWritten => "line-half-written",
            Self::CheckpointAside => "checkpoint-aside",
            Self::CheckpointRenamed => "checkpoint-renamed",
            Self::CheckpointTold => "checkpoint-told",
            Self::LastWordUnsaid => "last-word-unsaid",
            Self::LastWordSaid => "last-word-said",
        }
    }

    /// Returns whether the controller passes it; the others are the worker's.
    pub const fn is_of_the_controller(self) -> bool {
        (self as usize) < (Self::TrialLocked as usize)
    }
}

/// Dies here where a test asks for it.
#[inline]
pub fn reach(point: Point) {
    if is_due(point) {
        die();
    }
}

pub use build::{die, is_due, pretended};

/// Returns a time in milliseconds that a test pretends.
pub fn pretended_ms(variable: &str) -> Option<i64> {
    pretended(variable)?.parse().ok()
}

#[cfg(debug_assertions)]
mod build {
    use std::fs::File;
    use std::path::Path;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::Point;

    /// Points to die at, each with how often it must be passed.
    static ARMED: OnceLock<Vec<(Point, u32)>> = OnceLock::new();
    static PASSED: [AtomicU32; Point::ALL.len()] = [const { AtomicU32::new(0) }; Point::ALL.len()];

    /// Returns whether this is where and when the process is to die. Counts: ask once a pass.
    pub fn is_due(point: Point) -> bool {
        let armed = ARMED.get_or_init(|| {
            pretended("BYOL_SWEEP_FAILPOINT").map(|text| super::parse(&text)).unwrap_or_default()
        });
        let Some((_, times)) = armed.iter().find(|(armed, _)| *armed == point) else {
            return false;
        };
        let passed = PASSED[point as usize].fetch_add(1, Ordering::Relaxed) + 1;
        passed >= *times && is_the_first(point)
    }

    fn is_the_first(point: Point) -> bool {
        match pretended("BYOL_SWEEP_FAILPOINT_MARKS") {
            Some(folder) => File::create_new(Path::new(&folder).join(point.as_str())).is_ok(),
            None => true,
        }
    }

    /// Dies as in a power cut: nothing is cleaned up.
    pub fn die() -> ! {
        loop {
            // It does not return where it succeeds, and nothing else can be done where it fails.
            let _ = kill(Pid::this(), Signal::SIGKILL);
        }
    }

    /// Returns what a test pretends.
    pub fn pretended(variable: &str) -> Option<String> {
        std::env::var(variable).ok()
    }
}

#[cfg(not(debug_assertions))]
mod build {
    use super::Point;

    /// Returns `false`: no test kills a release build.
    #[inline(always)]
    pub const fn is_due(_: Point) -> bool {
        false
    }

    /// Is never called.
    pub fn die() -> ! {
        std::process::abort()
    }

    /// Returns `None`: no test pretends anything to a release build.
    #[inline(always)]
    pub const fn pretended(_: &str) -> Option<String> {
        None
    }
}

/// Reads `name@times`, by commas; what is no point is passed over.
#[cfg(any(debug_assertions, test))]
fn parse(text: &str) -> Vec<(Point, u32)> {
    let one = |item: &str| {
        let (name, times) = item.split_once('@').unwrap_or((item, "1"));
        let point = Point::ALL.into_iter().find(|point| point.as_str() == name)?;
        Some((point, times.parse().ok()?))
    };
    text.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_points_is_read() {
        let read = parse("order-written,events-stored@3,nonsense,plan-synced@x");
        assert_eq!(read, [(Point::OrderWritten, 1), (Point::EventsStored, 3)]);
    }

    #[test]
    fn all_points_are_listed_once_and_in_their_order() {
        for (place, point) in Point::ALL.into_iter().enumerate() {
            assert_eq!(point as usize, place, "{}", point.as_str());
        }
        assert_eq!(Point::ALL[Point::ALL.len() - 1], Point::LastWordSaid);
    }
}
