//! A worker's order, from the plan and from what is known of the trial. Decides what there is to
//! do; knows nothing of how it is done.

use std::path::{Path, PathBuf};

use crate::ids::{AttemptNo, DeviceId};
use crate::plan::{Plan, PlannedTrial};
use crate::protocol::folder::TrialFolder;
use crate::protocol::{FORMAT, Work, WorkDevice, WorkOrder};
use crate::store::rows::{AttemptKind, Known};

/// Where images lie on this machine.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    /// Those that a trial trains on; `None` for sets that are made in memory.
    pub train: &'a dyn Fn(&PlannedTrial) -> Option<PathBuf>,
    /// Those of `eval.data`, if it is named.
    pub eval: Option<&'a Path>,
}

/// Tells what the next attempt does: evaluates where the trial is trained, otherwise trains from
/// the newest checkpoint. Files that were cleaned away do not count; `exists` tells.
pub fn work(known: &Known, exists: impl Fn(&Path) -> bool) -> Work {
    if let Some(weights) = known.weights.as_ref().filter(|file| exists(file)) {
        return Work::Evaluate { weights: weights.clone() };
    }
    let checkpoint = known.checkpoint.as_ref().map(|(file, _)| file);
    Work::Train { resume: checkpoint.filter(|file| exists(file)).cloned() }
}

pub(super) fn kind(work: &Work) -> AttemptKind {
    match work {
        Work::Train { .. } => AttemptKind::Train,
        Work::Evaluate { .. } => AttemptKind::Eval,
    }
}

/// What differs from attempt to attempt.
pub(super) struct Particulars<'a> {
    pub(super) state: &'a Path,
    pub(super) attempt: AttemptNo,
    pub(super) device: &'a DeviceId,
    pub(super) threads: u32,
    pub(super) work: Work,
}

/// Writes the order of one attempt.
pub(super) fn order(
    plan: &Plan,
    trial: &PlannedTrial,
    images: Images<'_>,
    particulars: Particulars<'_>,
) -> WorkOrder {
    let every = plan.meta.checkpoint_every.as_millis();
    WorkOrder {
        format: FORMAT,
        train_key: trial.train_key.clone(),
        eval_key: plan.eval_key.clone(),
        attempt: particulars.attempt,
        work: particulars.work,
        run: trial.run.clone(),
        eval: plan.eval.clone(),
        data_path: (images.train)(trial),
        eval_data_path: images.eval.map(Path::to_owned),
        device: match particulars.device {
            DeviceId::Cpu => WorkDevice::Cpu,
            DeviceId::Cuda { .. } => WorkDevice::Cuda,
        },
        threads: particulars.threads,
        kernels: plan.meta.resources.kernels,
        checkpoint_every_ms: u64::try_from(every).unwrap_or(u64::MAX),
        retention: plan.meta.retention,
        lock: TrialFolder::new(particulars.state, &trial.train_key).lock(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untrained() -> Known {
        Known { checkpoint: Some(("c".into(), 7)), ..Known::default() }
    }

    fn trained() -> Known {
        Known { weights: Some("w".into()), ..untrained() }
    }

    #[test]
    fn a_trained_trial_is_evaluated_and_any_other_resumed() {
        assert_eq!(work(&trained(), |_| true), Work::Evaluate { weights: "w".into() });
        assert_eq!(work(&untrained(), |_| true), Work::Train { resume: Some("c".into()) });
    }

    #[test]
    fn files_that_were_cleaned_away_do_not_count() {
        let resume = Work::Train { resume: Some("c".into()) };
        assert_eq!(work(&trained(), |file| file == Path::new("c")), resume);
        assert_eq!(work(&trained(), |_| false), Work::Train { resume: None });
    }
}
