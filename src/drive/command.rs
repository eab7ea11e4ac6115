//! What a live controller can be asked from outside. Knows nothing of sockets: a [`Command`] comes
//! with the place for its answer.

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::recover::Elsewhere;
use crate::ids::TrainKey;
use crate::store::Edit;

/// Why a run that has done its last step refuses: whoever asks finds nobody at work soon.
pub const ENDING: &str = "the run is about to end";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Who are you, and what are you at?
    Who,
    /// Of the run as a whole.
    Run {
        /// What.
        wish: RunWish,
    },
    /// Of live attempts of these trials; those without one are passed over.
    Stop {
        /// The trials.
        trials: Vec<TrainKey>,
        /// How.
        how: StopHow,
    },
    /// Something durable, which the controller writes down and obeys.
    Edit {
        /// What.
        edit: Edit,
    },
}

/// Something asked of a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunWish {
    /// Start nothing; what runs goes on.
    Pause,
    /// Start again.
    Resume,
    /// Start nothing, let every attempt write a checkpoint and stop, and leave: one Ctrl-C.
    Stop,
    /// Kill every attempt and leave: two.
    Kill,
}

/// How an attempt is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopHow {
    /// It writes a checkpoint first.
    Politely,
    /// It is killed.
    ByForce,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Who it is.
    Here {
        /// Process id.
        pid: u32,
        /// The sweep at work.
        sweep: String,
        /// Whether it starts nothing at the moment.
        paused: bool,
    },
    /// Done, or on its way.
    Granted {
        /// Trials, attempts, tags or sweeps that it concerned.
        count: u64,
        /// When a run acts upon it.
        #[serde(default)]
        when: When,
    },
    /// Attempts end.
    Stopping {
        /// How many were asked to.
        asked: u64,
        /// Those that could not be asked.
        elsewhere: Vec<Elsewhere>,
    },
    /// Not done, and why.
    Refused {
        /// One line for people.
        why: String,
    },
}

/// When a run acts upon what was granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The run at work does, from now on.
    #[default]
    Now,
    /// The run at work does, once it is resumed.
    OnceResumed,
    /// The next run does: none is at work, it is about to end, or it has no part in it.
    NextRun,
}

impl Answer {
    /// Refuses in the name of a run that has done its last step.
    pub(super) fn ending() -> Self {
        Self::Refused { why: ENDING.to_owned() }
    }
}

/// A request with the place for its answer.
#[derive(Debug)]
pub struct Command {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes; who asked may have left.
    pub answer: oneshot::Sender<Answer>,
}

/// Where commands come from.
pub type Commands = mpsc::Receiver<Command>;
