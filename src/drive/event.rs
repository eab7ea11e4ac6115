//! What happens during a run, for those who watch. Watching gives no control.

use std::path::PathBuf;

use serde::Serialize;

use crate::ids::{AttemptNo, DeviceId, TrainKey};
use crate::outcome::Outcome;
use crate::protocol::Progress;
use crate::store::rows::{AttemptKind, EarlyStopRow};

/// Something happened. The store has it already when an observer hears of it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The plan is compared with the store.
    Started {
        /// Name of the sweep.
        sweep: String,
        /// Trials in the plan.
        trials: usize,
        /// Of these, finished by earlier runs.
        done: usize,
        /// Slots on the devices in use.
        slots: usize,
    },
    /// An attempt was started, or found alive and adopted.
    AttemptStarted {
        /// The trial.
        trial: TrialName,
        /// Number within the trial.
        attempt: AttemptNo,
        /// What it does.
        kind: AttemptKind,
        /// Where it computes.
        device: DeviceId,
        /// Found alive from an earlier controller.
        adopted: bool,
    },
    /// An attempt tells where it is.
    Progressed {
        /// The trial.
        trial: TrialName,
        /// Where it is.
        progress: Progress,
    },
    /// An attempt's own sentence.
    Noted {
        /// The trial.
        trial: TrialName,
        /// The sentence.
        text: String,
    },
    /// An attempt ended.
    AttemptEnded {
        /// The trial.
        trial: TrialName,
        /// Number within the trial.
        attempt: AttemptNo,
        /// How.
        outcome: Outcome,
        /// The sweep's report metric, where the attempt evaluated it.
        metric: Option<f64>,
        /// Whether another attempt follows by itself.
        retried: bool,
    },
    /// The user asked to stop.
    Stopping {
        /// How often, from 1: politely, by force, leave them running.
        times: u32,
    },
    /// An attempt met a full disk: nothing more starts in this run, what runs goes on by itself.
    DiskFull {
        /// A folder on that disk.
        folder: PathBuf,
        /// Bytes that are free there now, where the system tells.
        free_bytes: Option<u64>,
    },
    /// Nothing is left to do, or the run was stopped.
    Finished(RunSummary),
    /// Nothing starts until the run is resumed.
    Paused,
    /// Attempts start again.
    Resumed,
    /// The disk of the state folder has little room: nothing starts until there is more.
    DiskLow {
        /// A folder on that disk.
        folder: PathBuf,
        /// Bytes that are free there now.
        free_bytes: u64,
        /// Bytes that are missing.
        missing_bytes: u64,
    },
    /// The disk has room again.
    DiskRoom {
        /// A folder on that disk.
        folder: PathBuf,
    },
    /// Several trials in a row died at once on a device. They are tried on others before anything
    /// starts there again.
    DeviceSuspected {
        /// The device.
        device: DeviceId,
    },
    /// The trials that died at once on a suspected device are to blame themselves.
    DeviceCleared {
        /// The device.
        device: DeviceId,
    },
    /// Nothing starts on a device any more in this run.
    DeviceOut {
        /// The device.
        device: DeviceId,
        /// Devices that are left.
        left: usize,
    },
    /// Nothing starts on a device for now.
    DeviceBusy {
        /// The device.
        device: DeviceId,
        /// Why.
        why: String,
    },
    /// Somebody else computes on a device, and attempts start there all the same.
    DeviceShared {
        /// The device.
        device: DeviceId,
        /// Who.
        why: String,
    },
    /// Attempts may start on a device again.
    DeviceFree {
        /// The device.
        device: DeviceId,
    },
    /// The next trial would cost more device time than the budget has left: nothing more starts.
    BudgetSpent,
    /// The sweep's policy stops a trial, begun or not; an attempt that is alive is on its way out.
    StoppedEarly {
        /// The trial.
        trial: TrialName,
        /// Why.
        why: EarlyStopRow,
    },
}

/// A trial as people call it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TrialName {
    /// Number in the sweep, from 1.
    pub ordinal: u32,
    /// Identity.
    pub key: TrainKey,
    /// What varies, in words: `method=byol batch_size=64 seed=0`.
    pub label: String,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// Trials in the plan that are done, earlier runs included.
    pub done: usize,
    /// Trials whose last attempt failed.
    pub failed: usize,
    /// Trials not finished because the run was stopped or limited.
    pub left: usize,
    /// Of those left, not begun because of `--limit`.
    pub limited: usize,
    /// Of those left, held.
    pub held: usize,
    /// Of those left, kept back because the budget is spent.
    pub over_budget: usize,
    /// Trials that the sweep's policy stopped early, in earlier runs too.
    pub pruned: usize,
    /// Whether the user stopped it.
    pub interrupted: bool,
}
