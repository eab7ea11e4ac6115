//! Who works on a state folder, as far as a reader can tell.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::client::ask_within;
use crate::drive::command::{Answer, Request};
use crate::drive::lock::{self, Holder};

/// Who works on the state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "controller", rename_all = "snake_case")]
pub enum Controller {
    /// Nobody.
    None,
    /// Somebody holds the lock.
    Alive {
        /// Host and process.
        who: String,
        /// What a run says of itself; `None` of what is no run, or not yet.
        run: Option<AtWork>,
    },
}

/// A run at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AtWork {
    /// Its sweep.
    pub sweep: String,
    /// Whether it starts nothing at the moment.
    pub paused: bool,
}

/// How long a reader waits for what a run says of itself: one that hangs is told of without it.
const PATIENCE: Duration = Duration::from_secs(2);

impl Controller {
    /// Looks at the lock alone, which nobody has to answer for.
    pub fn glance(state: &Path) -> Self {
        match lock::holder(state) {
            Ok(Holder::Somebody(who)) => Self::Alive { who, run: None },
            // What cannot be told is not claimed.
            Ok(Holder::Nobody) | Err(_) => Self::None,
        }
    }

    /// Looks at the lock, and asks the run that holds it.
    pub fn look(state: &Path) -> Self {
        let Self::Alive { who, .. } = Self::glance(state) else { return Self::None };
        let run = match ask_within(state, &Request::Who, PATIENCE) {
            Ok(Some(Answer::Here { sweep, paused, .. })) => Some(AtWork { sweep, paused }),
            Ok(
                Some(Answer::Granted { .. } | Answer::Stopping { .. } | Answer::Refused { .. })
                | None,
            )
            | Err(_) => None,
        };
        Self::Alive { who, run }
    }

    /// Returns one line for people; nothing where nobody is at work.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Alive { who, run: None } => Some(format!("at work: {who}")),
            Self::Alive { who, run: Some(AtWork { sweep, paused }) } => {
                let paused = if *paused { ", paused: `byol-sweep resume` goes on" } else { "" };
                Some(format!("at work: a run of {sweep} ({who}){paused}"))
            }
        }
    }
}
