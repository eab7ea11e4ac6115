//! `plan --probe`: runs a few updates of each kind of trial that nothing is known of, with the real
//! worker and in a folder that is gone afterwards, to learn how fast it trains here.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::Instant;

use super::places::Places;
use super::preflight;
use super::reading::runtime;
use crate::drive::event::RunEvent;
use crate::drive::signals::{ChannelStops, SignalStops, StopSource};
use crate::drive::{self, Images, Observer, Options, RunRequest};
use crate::exec::local::LocalExecutor;
use crate::ids::Slot;
use crate::outcome::Outcome;
use crate::plan::cost::{self, Probed};
use crate::plan::{Plan, PlannedTrial};
use crate::protocol::Stage;
use crate::schedule::StopRequest;
use crate::spec::run::{RunSpec, Source, Subset};
use crate::store::Store;
use crate::ui::Ui;

/// Updates of an epoch of a probe.
const UPDATES: u32 = 4;
/// One from the first weights, which also warms up, and one that is measured.
const EPOCHS: u32 = 2;
/// Longest time of one probe, loading included.
const ONE: Duration = Duration::from_secs(60);
/// Longest time of all of them.
const ALL: Duration = Duration::from_secs(300);

/// Probes these trials of the plan one after the other on the first slot, for as long as there is
/// time, and returns the speeds of those that came so far.
pub(super) fn probe(
    trials: &[&PlannedTrial],
    plan: &Plan,
    slots: &[Slot],
    places: &Places,
    ui: &mut Ui,
) -> anyhow::Result<Vec<Probed>> {
    let worker = places.worker()?;
    let Some(slot) = slots.first() else { return Ok(Vec::new()) };
    let end = Instant::now() + ALL;
    let mut probed = Vec::new();
    for (place, trial) in (1..).zip(trials) {
        let deadline = end.min(Instant::now() + ONE);
        if Instant::now() >= end {
            ui.note(&format!("no time is left for {} probes more", trials.len() + 1 - place));
            break;
        }
        ui.note(&format!("probe {place} of {}: {}", trials.len(), trial.label_text()));
        let bench = Bench { plan: of_one(plan, trial), slot, worker: &worker, places };
        match runtime()?.block_on(bench.run(deadline))? {
            Seen::Speed(images_per_s) => {
                probed.push(Probed { run: trial.run.clone(), images_per_s });
            }
            Seen::Nothing(why) => ui.note(&format!("  it told nothing: {why}")),
            Seen::Interrupted => anyhow::bail!("interrupted"),
        }
    }
    Ok(probed)
}

/// What came of a probe.
enum Seen {
    Speed(f64),
    Nothing(String),
    Interrupted,
}

/// A plan of a few updates of one trial.
fn of_one(plan: &Plan, trial: &PlannedTrial) -> Plan {
    let run = few_updates(&trial.run);
    let trial = PlannedTrial {
        ordinal: 1,
        train_key: run.train_key(),
        group_key: run.group_key(),
        run,
        ..trial.clone()
    };
    let mut plan = Plan { trials: vec![trial], ..plan.clone() };
    plan.meta.name = "probe".to_owned();
    plan.meta.max_retries = 0;
    plan
}

fn few_updates(run: &RunSpec) -> RunSpec {
    let mut run = run.clone();
    let subset = few_images(&run).or(run.data.subset);
    Arc::make_mut(&mut run.data).subset = subset;
    run.epochs = EPOCHS;
    run.warmup_epochs = 0.0;
    run
}

/// Returns images for a few updates, where there are more and it is known how many make a balanced
/// subset; elsewhere all are trained on, for as long as a probe may take.
fn few_images(run: &RunSpec) -> Option<Subset> {
    let classes = match run.data.source {
        Source::Shapes { .. } | Source::Cifar10 => 10,
        Source::Idx { .. } | Source::ImageFolder { .. } => return None,
    };
    let wanted = run.update_batch_size.saturating_mul(UPDATES);
    let images = wanted.checked_next_multiple_of(classes)?;
    let there = cost::images(run)?;
    let seed = run.data.subset.map_or(0, |subset| subset.seed);
    (images < there).then_some(Subset { images, seed })
}

/// One probe.
struct Bench<'a> {
    plan: Plan,
    slot: &'a Slot,
    worker: &'a std::path::Path,
    places: &'a Places,
}

impl Bench<'_> {
    async fn run(&self, deadline: Instant) -> anyhow::Result<Seen> {
        let folder = tempfile::tempdir().context("cannot make a folder for a probe")?;
        let store = Store::open(folder.path()).await?;
        let executor = LocalExecutor::new(self.worker)?;
        let place = |trial: &PlannedTrial| {
            let source = &trial.run.data.source;
            preflight::whereabouts(source, trial.data_path.as_deref(), self.places).ok().flatten()
        };
        let eval = match &self.plan.eval.data {
            Some(source) => {
                let said = self.plan.meta.eval_data_path.as_deref();
                preflight::whereabouts(source, said, self.places)?
            }
            None => None,
        };
        let (sender, over) = ChannelStops::new();
        let mut watch = Watch { speed: None, failure: None, over: sender };
        let interrupted = Cell::new(false);
        let stops =
            Ends { over, signals: SignalStops::listen()?, deadline, interrupted: &interrupted };
        let request = RunRequest {
            plan: &self.plan,
            store: &store,
            executor: &executor,
            slots: vec![self.slot.clone()],
            images: Images { train: &place, eval: eval.as_deref() },
            options: Options::default(),
            commands: mpsc::channel(1).1,
            expected: &|_| None,
        };
        drive::run(request, &mut watch, stops).await?;
        let measured = measured(&store, &self.plan).await?.or(watch.speed);
        store.close().await;
        Ok(match (measured, watch.failure) {
            _ if interrupted.get() => Seen::Interrupted,
            (Some(speed), _) if speed > 0.0 => Seen::Speed(speed),
            (_, Some(failure)) => Seen::Nothing(failure),
            (_, None) => Seen::Nothing("it came to no end of an epoch in time".to_owned()),
        })
    }
}

/// Returns the speed of the last epoch, as the worker measured it.
async fn measured(store: &Store, plan: &Plan) -> anyhow::Result<Option<f64>> {
    let keys: Vec<_> = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
    let series = store.series("images_per_s", &keys).await?;
    Ok(series.first().and_then(|series| series.points.last()).map(|(_, value)| *value))
}

/// Ends a probe when training is over: evaluation takes its full time on however few images.
struct Watch {
    speed: Option<f64>,
    failure: Option<String>,
    over: UnboundedSender<StopRequest>,
}

impl Observer for Watch {
    fn on(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Progressed { progress, .. } => match progress.stage {
                Stage::Load => {}
                Stage::Train => self.speed = Some(progress.images_per_s),
                Stage::Evaluate => {
                    // The run may be over already.
                    let _ = self.over.send(StopRequest::ByForce);
                }
            },
            RunEvent::AttemptEnded { outcome: Outcome::Failed { reason, detail }, .. } => {
                self.failure = Some(format!("{}: {detail}", reason.as_str()));
            }
            RunEvent::AttemptEnded { outcome: _, .. }
            | RunEvent::Started { .. }
            | RunEvent::AttemptStarted { .. }
            | RunEvent::Noted { .. }
            | RunEvent::Stopping { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::Finished(_)
            | RunEvent::Paused
            | RunEvent::Resumed
            | RunEvent::DiskLow { .. }
            | RunEvent::DiskRoom { .. }
            | RunEvent::DeviceSuspected { .. }
            | RunEvent::DeviceCleared { .. }
            | RunEvent::DeviceOut { .. }
            | RunEvent::DeviceBusy { .. }
            | RunEvent::DeviceShared { .. }
            | RunEvent::DeviceFree { .. }
            | RunEvent::BudgetSpent
            | RunEvent::StoppedEarly { .. } => {}
        }
    }
}

/// What ends a probe: enough was seen, time is up, or the user wants no more.
struct Ends<'a> {
    over: ChannelStops,
    signals: SignalStops,
    deadline: Instant,
    interrupted: &'a Cell<bool>,
}

impl StopSource for Ends<'_> {
    async fn next(&mut self) -> StopRequest {
        tokio::select! {
            request = self.over.next() => request,
            _ = self.signals.next() => {
                self.interrupted.set(true);
                StopRequest::ByForce
            }
            () = tokio::time::sleep_until(self.deadline) => {
                // It is asked for once.
                self.deadline += ALL;
                StopRequest::ByForce
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_probe_is_a_few_updates_of_the_same_cost() {
        let shapes = |train| {
            let mut run = samples::run(64, 0);
            run.update_batch_size = 32;
            Arc::make_mut(&mut run.data).source =
                Source::Shapes { train, test: 10, side: 32, seed: 0 };
            run
        };
        let probe = few_updates(&shapes(256));
        assert_eq!((probe.epochs, probe.batch_size), (2, 64));
        // As the worker chooses them: as many of each class.
        let images = crate::data::load(&probe.data.source, None).unwrap();
        let subset = probe.data.subset.unwrap();
        assert_eq!(crate::data::subset(&images.train, subset).unwrap().len(), 130);
        for few in [64, 129, 130] {
            assert_eq!(few_updates(&shapes(few)).data.subset, None, "{few}");
        }
        let mut folder = shapes(256);
        let data = Arc::make_mut(&mut folder.data);
        data.source = Source::ImageFolder { digest: None };
        data.subset = Some(Subset { images: 700, seed: 3 });
        assert_eq!(few_updates(&folder).data.subset, folder.data.subset, "seven classes, maybe");
        let plan = of_one(&samples::plan(), &samples::plan().trials[1]);
        assert_eq!((plan.trials.len(), plan.trials[0].ordinal), (1, 1));
        assert_eq!(plan.trials[0].train_key, plan.trials[0].run.train_key());
    }
}
