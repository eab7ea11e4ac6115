//! `run`: plans, then executes what is not done yet.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use super::args::{RunArgs, Session};
use super::cost;
use super::exit::ExitCode;
use super::places::Places;
use super::planning::{self, Changes};
use super::sweep_file::{self, SweepFile};
use super::{detach, preflight, provenance, reading};
use crate::control::Server;
use crate::drive::event::RunSummary;
use crate::drive::lock::StateLock;
use crate::drive::signals::SignalStops;
use crate::drive::{self, Images, Options, RetryFailed, RunRequest};
use crate::exec::devices::{self, DeviceChoice};
use crate::exec::local::LocalExecutor;
use crate::exec::nvml;
use crate::exec::watch::Strangers;
use crate::failpoint::pretended_ms;
use crate::ids::{DeviceId, Slot, TrainKey};
use crate::outlook::{self, Asked, Left};
use crate::plan::cost::History;
use crate::plan::{Limit, Plan, PlanError, PlannedTrial};
use crate::schedule::Millis;
use crate::schedule::policy::Backoff;
use crate::store::Store;
use crate::store::rows::TrialState;
use crate::ui::{Ui, words};

/// Requests that wait for the loop; more wait with their clients.
const COMMANDS: usize = 16;

/// Digests of image folders, measured for this run.
type Measured = Vec<(std::path::PathBuf, String)>;

pub(super) fn run(args: &RunArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    match args.session() {
        Session::Here => {}
        Session::Apart => return detach::run(places, ui),
        // The terminal's end is none of this process's from here on.
        Session::Own => drop(nix::unistd::setsid()),
    }
    let worker = places.worker()?;
    let file = sweep_file::open(&args.file, ui)?;
    let (plan, measured) = plan(&file, args, ui)?;
    let data = preflight::check_data(&plan, places)?;
    let slots = slots(args, &plan)?;
    places.warn_of_shared_state(ui);
    let summary = reading::runtime()?.block_on(async {
        // First the lock: to open may bring the schema up to date, under a controller of an earlier
        // version if one is at work.
        let lock = StateLock::take_soon(&places.state).await?;
        let store = Store::open(&places.state).await?;
        note_datasets(&store, &measured, ui).await?;
        if store.removed_sweeps().await?.contains(&plan.meta.name) {
            let name = &plan.meta.name;
            ui.note(&format!("{name} was removed; this run brings it into sight again"));
        }
        let expected = budgeted(&store, &plan, &slots, args, ui).await?;
        let made_with =
            provenance::gather(&store, &worker, &plan, &slots, data, reading::now_ms()).await?;
        provenance::note_other_workers(&store, &plan, &made_with.worker, ui).await?;
        let digest = made_with.worker.digest.clone();
        let store = store.on_behalf_of(made_with);
        let on_gpus = slots.iter().any(|slot| slot.device != DeviceId::Cpu);
        let driver = if on_gpus { nvml::Driver::open() } else { None };
        let executor = LocalExecutor::new(worker)?.digested(digest).watching(driver);
        let eval_path = eval_path(&plan, places)?;
        // Checked above: a set that has no place here never comes this far.
        let train = |trial: &crate::plan::PlannedTrial| {
            let source = &trial.run.data.source;
            preflight::whereabouts(source, trial.data_path.as_deref(), places).ok().flatten()
        };
        let (sender, commands) = mpsc::channel(COMMANDS);
        let request = RunRequest {
            plan: &plan,
            store: &store,
            executor: &executor,
            slots,
            images: Images { train: &train, eval: eval_path.as_deref() },
            options: options(args),
            commands,
            expected: &|trial| expected.get(&trial.train_key).copied(),
        };
        let mut observer = ui.watch(&plan.meta.report_metric);
        let stops = SignalStops::listen()?;
        let server = Server::listen(store.state_dir(), &lock, sender)?;
        let summary = drive::run_locked(&lock, request, &mut observer, stops).await;
        server.close().await;
        // Its log goes into the file, so that it can be read from a full disk too.
        store.close().await;
        anyhow::Ok(summary?)
    })?;
    if let End::Undone { trials } = end(&summary) {
        ui.note(&undone(trials));
    }
    Ok(code(end(&summary)))
}

/// Plans the file, with the digests of its image folders measured now.
fn plan(file: &SweepFile, args: &RunArgs, ui: &mut Ui) -> anyhow::Result<(Plan, Measured)> {
    let measured = RefCell::new(Measured::new());
    let failed = RefCell::new(None);
    let digests = |path: &Path| match preflight::digest(path) {
        Ok(digest) => {
            let known = digest.clone().map(|digest| (path.to_owned(), digest));
            measured.borrow_mut().extend(known);
            digest
        }
        Err(error) => {
            failed.borrow_mut().get_or_insert(error);
            None
        }
    };
    let limit = if args.yes { Limit::Lifted } else { Limit::Million };
    let changes = Changes::from(&args.changes);
    let mut planned = planning::plan(file, &changes, &digests, limit);
    if let Some(error) = failed.take() {
        return Err(error.into());
    }
    if let Some(cells) = planned.as_ref().err().and_then(too_many)
        && agreed(cells, ui)
    {
        planned = planning::plan(file, &changes, &digests, Limit::Lifted);
    }
    Ok((planned?, measured.take()))
}

fn too_many(error: &anyhow::Error) -> Option<u64> {
    match error.downcast_ref()? {
        PlanError::TooMany { cells } => Some(*cells),
        PlanError::Spec(_) => None,
    }
}

/// Asks on a terminal; elsewhere nobody can agree.
fn agreed(cells: u64, ui: &mut Ui) -> bool {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return false;
    }
    ui.note(&format!("this sweep has {} trials; type `yes` to run them", words::count(cells)));
    let _shown = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}

fn slots(args: &RunArgs, plan: &Plan) -> anyhow::Result<Vec<Slot>> {
    let choice: DeviceChoice = args.devices.parse()?;
    let gpus = match choice {
        DeviceChoice::Cpu => Vec::new(),
        DeviceChoice::Auto | DeviceChoice::AllCuda | DeviceChoice::Cuda(_) => nvml::visible_gpus(),
    };
    let devices = devices::choose(&choice, &gpus)?;
    let per_gpu = NonZeroU32::new(plan.meta.resources.slots_per_device).unwrap_or(NonZeroU32::MIN);
    let jobs = args.jobs.and_then(NonZeroU32::new);
    Ok(devices::slots(&devices, per_gpu, jobs, devices::cores()))
}

fn options(args: &RunArgs) -> Options {
    hurried(Options {
        limit: args.limit.map(|limit| limit as usize),
        max_failed: args.failures_allowed().and_then(NonZeroU32::new),
        budget: args
            .budget
            .map(|budget| Millis(u64::try_from(budget.as_millis()).unwrap_or(u64::MAX))),
        retry_failed: if args.retry_failed { RetryFailed::Yes } else { RetryFailed::No },
        strangers: strangers(args),
        ..Options::default()
    })
}

/// Makes a debug build hurry as a test asks.
fn hurried(options: Options) -> Options {
    let pace = |variable| pretended_ms(variable).and_then(|ms| u64::try_from(ms).ok());
    let backoff = pace("BYOL_SWEEP_BACKOFF_MS").map(Millis);
    Options {
        tick: pace("BYOL_SWEEP_TICK_MS").map_or(options.tick, Duration::from_millis),
        backoff: backoff.map_or(options.backoff, |ms| Backoff { base: ms, most: ms }),
        grace: pace("BYOL_SWEEP_GRACE_MS").map_or(options.grace, Millis),
        ..options
    }
}

/// Who names a device means it, whoever else is there.
fn strangers(args: &RunArgs) -> Strangers {
    match args.devices.parse() {
        Ok(DeviceChoice::Cuda(_)) => Strangers::Noted,
        Ok(DeviceChoice::Auto | DeviceChoice::Cpu | DeviceChoice::AllCuda) | Err(_) => {
            Strangers::Respected
        }
    }
}

/// Returns what each trial is expected to take of the budget, and says where nobody can know.
async fn budgeted(
    store: &Store,
    plan: &Plan,
    slots: &[Slot],
    args: &RunArgs,
    ui: &mut Ui,
) -> anyhow::Result<HashMap<TrainKey, Millis>> {
    let (Some(_), Some(here)) = (args.budget, cost::here(slots)) else {
        return Ok(HashMap::new());
    };
    let keys: Vec<TrainKey> = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
    let known = store
        .known_to(&plan.meta.name, plan.meta.early_stop.as_ref(), &plan.eval_key, &keys)
        .await?;
    let state = |trial: &PlannedTrial| known.get(&trial.train_key).map(|known| known.state);
    let asked = plan
        .trials
        .iter()
        .map(|trial| Asked::planned(trial, state(trial).unwrap_or(TrialState::Pending)));
    let asked: Vec<Asked<'_>> = asked.collect();
    let history = History::new(&store.past().await?, &[], &here.place);
    let spent = store.spent(&keys).await?;
    let lefts = outlook::lefts(&asked, &plan.eval_key, &history, &spent);
    let unknown = lefts.iter().filter(|left| **left == Left::Unknown).count();
    if unknown > 0 {
        ui.note(&format!(
            "nothing comparable ran for {}: the budget counts them once they run",
            words::plural(unknown, "trial")
        ));
    }
    Ok(cost::expected(&asked, &lefts))
}

fn eval_path(plan: &Plan, places: &Places) -> anyhow::Result<Option<std::path::PathBuf>> {
    match &plan.eval.data {
        Some(source) => preflight::whereabouts(source, plan.meta.eval_data_path.as_deref(), places),
        None => Ok(None),
    }
}

/// Keeps what was measured, and says where images changed: their trials are other trials now.
async fn note_datasets(store: &Store, measured: &Measured, ui: &mut Ui) -> anyhow::Result<()> {
    for (path, digest) in measured {
        let path = std::path::absolute(path)?;
        if store.dataset_digest(&path).await?.is_some_and(|known| known != *digest) {
            ui.note(&format!(
                "the images in {} changed since they were last used: trials on the old ones stay as they are, and are not mixed with new ones",
                path.display()
            ));
        }
        store.note_dataset(&path, digest, reading::now_ms()).await?;
    }
    Ok(())
}

/// How a run came out.
#[derive(Clone, Copy)]
enum End {
    /// All that was asked for is done.
    Done,
    /// The user stopped it.
    Interrupted,
    /// Some trials failed.
    Failed,
    /// Nobody stopped it, nothing failed, and yet this many trials are left.
    Undone { trials: usize },
}

fn end(summary: &RunSummary) -> End {
    let RunSummary { failed, left, limited, held, over_budget, interrupted, done: _, pruned: _ } =
        *summary;
    match left.saturating_sub(limited + held + over_budget) {
        _ if interrupted => End::Interrupted,
        _ if failed > 0 => End::Failed,
        0 => End::Done,
        trials => End::Undone { trials },
    }
}

fn undone(trials: usize) -> String {
    format!(
        "{} left undone: stopped one by one, still running where this controller cannot reach them, or kept back by a full disk or for want of a device; run the sweep again then",
        words::plural(trials, "trial")
    )
}

/// Returns how a run's end is told to scripts.
fn code(end: End) -> ExitCode {
    match end {
        End::Done => ExitCode::Success,
        End::Interrupted => ExitCode::Interrupted,
        End::Failed => ExitCode::TrialsFailed,
        End::Undone { .. } => ExitCode::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_tell_an_interrupt_from_failures() {
        let told = |failed, interrupted| {
            code(end(&RunSummary { done: 1, failed, interrupted, ..RunSummary::default() }))
        };
        assert_eq!(told(0, false), ExitCode::Success);
        assert_eq!(told(2, false), ExitCode::TrialsFailed);
        assert_eq!(told(2, true), ExitCode::Interrupted);
    }

    #[test]
    fn what_is_left_undone_is_no_success_unless_a_limit_asked_for_it() {
        let told = |left, limited| {
            code(end(&RunSummary { done: 1, left, limited, ..RunSummary::default() }))
        };
        assert_eq!(told(2, 2), ExitCode::Success);
        assert_eq!(told(3, 2), ExitCode::Internal);
        let kept = RunSummary { left: 3, held: 1, over_budget: 2, ..RunSummary::default() };
        assert_eq!(code(end(&kept)), ExitCode::Success);
    }
}
