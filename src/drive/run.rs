//! One run: the scheduler between its inputs and its actions.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use super::agenda::{Agenda, RunJob};
use super::clock::Clock;
use super::command::Command;
use super::early::EarlyWatch;
use super::error::DriveError;
use super::event::{RunEvent, RunSummary, TrialName};
use super::gpus::{GpuWatch, Look};
use super::home::Home;
use super::inbox::Inbox;
use super::live::LiveAttempt;
use super::lock::LOCK;
use super::recover::{Elsewhere, Recovered, recover};
use super::signals::StopSource;
use super::tidy::tidy;
use super::watch::DiskWatch;
use super::{Images, Observer, Options, RunRequest, names};
use crate::exec::Executor;
use crate::ids::{AttemptNo, TrainKey};
use crate::outcome::Outcome;
use crate::plan::{Plan, PlannedTrial};
use crate::schedule::phase::Phase;
use crate::schedule::policy::{Policy, Suspicion};
use crate::schedule::{Input, JobNo, Millis, Scheduler, Start, StopRequest};
use crate::store::{DATABASE, Store};

/// See the module.
pub(super) struct Run<'a, E> {
    pub(super) plan: &'a Plan,
    pub(super) store: &'a Store,
    pub(super) executor: &'a E,
    pub(super) images: Images<'a>,
    pub(super) options: Options,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) clock: Clock,
    pub(super) scheduler: Scheduler,
    pub(super) jobs: Vec<RunJob<'a>>,
    pub(super) numbers: HashMap<TrainKey, JobNo>,
    pub(super) live: BTreeMap<JobNo, LiveAttempt>,
    /// Attempts that were alive out of reach when the run began; nobody watches them.
    pub(super) elsewhere: Vec<Elsewhere>,
    /// Ended attempts that observers hear of once it is known whether another follows.
    pub(super) untold: HashMap<JobNo, EndedAttempt>,
    pub(super) inputs: VecDeque<Input>,
    pub(super) disk: DiskWatch,
    pub(super) gpus: GpuWatch,
    pub(super) early: Option<EarlyWatch>,
    pub(super) summary: RunSummary,
    pub(super) finished: bool,
    home: Home,
    /// What is missing of it.
    lost: Option<PathBuf>,
}

pub(super) struct EndedAttempt {
    pub(super) number: AttemptNo,
    pub(super) outcome: Outcome,
    pub(super) metric: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Launched,
    Adopted,
}

/// What ended a wait.
enum Woken {
    Stop(StopRequest),
    Command(Command),
    Time,
}

impl<'a, E: Executor> Run<'a, E> {
    /// Compares the plan with the store, and takes over what an earlier controller left alive.
    pub(super) async fn prepare(
        request: RunRequest<'a, E>,
        observer: &'a mut dyn Observer,
    ) -> Result<(Self, Inbox), DriveError> {
        let RunRequest { plan, store, executor, slots, images, options, commands, expected } =
            request;
        let clock = Clock::start();
        store.sync_plan(plan, clock.wall_ms()).await?;
        let planned: HashMap<&TrainKey, &PlannedTrial> =
            plan.trials.iter().map(|trial| (&trial.train_key, trial)).collect();
        let name = |key: &TrainKey| {
            planned.get(key).map_or_else(|| names::stranger(key), |trial| names::name(trial))
        };
        let recovered = recover(store, executor, &clock, name).await?;
        let keys: Vec<TrainKey> = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
        tidy(store, None, clock.wall_ms()).await?;
        let early_stop = plan.meta.early_stop.as_ref();
        let known = store.known_to(&plan.meta.name, early_stop, &plan.eval_key, &keys).await?;
        let agenda = Agenda::draw_up(plan, &known, &recovered, options, expected);
        let wanted = agenda.budgets.iter().any(|job| job.start != Start::Failed);
        if slots.is_empty() && wanted {
            return Err(DriveError::NoSlots);
        }
        let count = slots.len();
        let gpus = GpuWatch::of(&slots, &agenda.jobs, options.strangers);
        let key = |(place, job): (usize, &RunJob<'_>)| (job.key().clone(), JobNo(place));
        let mut run = Self {
            plan,
            store,
            executor,
            images,
            options,
            observer,
            clock,
            scheduler: Scheduler::new(agenda.budgets, slots, policy(plan, options)),
            numbers: agenda.jobs.iter().enumerate().map(key).collect(),
            jobs: agenda.jobs,
            live: BTreeMap::new(),
            elsewhere: Vec::new(),
            untold: HashMap::new(),
            inputs: VecDeque::new(),
            disk: DiskWatch::new(options.disk),
            gpus,
            early: EarlyWatch::of(plan, store).await?,
            summary: agenda.summary,
            finished: false,
            home: Home::of([LOCK, DATABASE].map(|file| store.state_dir().join(file))),
            lost: None,
        };
        run.tell(RunEvent::Started {
            sweep: plan.meta.name.clone(),
            trials: plan.trials.len(),
            done: run.summary.done,
            slots: count,
        });
        run.take_over(recovered, name).await?;
        Ok((run, Inbox::new(commands)))
    }

    /// Runs until nothing is left to do or the user has had enough.
    pub(super) async fn play(
        &mut self,
        stop: &mut impl StopSource,
        inbox: &mut Inbox,
    ) -> Result<RunSummary, DriveError> {
        self.watch_disk().await?;
        self.watch_gpus(Look::WhenDue).await?;
        self.recall_early_stops().await?;
        self.stop_early().await?;
        self.give(Input::Tick).await?;
        while !self.finished {
            let woken = tokio::select! {
                biased;
                request = stop.next() => Woken::Stop(request),
                command = inbox.next() => Woken::Command(command),
                () = self.executor.changed() => Woken::Time,
                () = tokio::time::sleep(self.pause()) => Woken::Time,
            };
            match woken {
                Woken::Stop(request) => self.stop(request).await?,
                Woken::Command(command) => self.answer(command).await?,
                Woken::Time => {}
            }
            self.watch_home().await?;
            self.watch_disk().await?;
            self.watch_gpus(Look::WhenDue).await?;
            self.observe().await?;
            self.stop_early().await?;
            self.give(Input::Tick).await?;
        }
        // What was asked for at the last moment is written down and answered, if no longer obeyed.
        while let Some(command) = inbox.unheard() {
            self.answer(command).await?;
        }
        if let Some(path) = self.lost.take() {
            return Err(DriveError::Homeless { path });
        }
        let RunSummary { done, failed, left, pruned, .. } = self.summary;
        // Those that were left running have no conclusion.
        self.summary.left += self.plan.trials.len().saturating_sub(done + failed + left + pruned);
        self.tell(RunEvent::Finished(self.summary.clone()));
        Ok(self.summary.clone())
    }

    /// Ends the run once its state folder is not there any more: no attempt may outlive that, since
    /// nobody would find it, and another run may write where it writes.
    async fn watch_home(&mut self) -> Result<(), DriveError> {
        if self.lost.is_some() {
            return Ok(());
        }
        self.lost = self.home.lost().map(Path::to_owned);
        if self.lost.is_some() {
            self.stop(StopRequest::ByForce).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, command: Command) -> Result<(), DriveError> {
        let answer = self.obey(command.request).await?;
        // Who asked may have left.
        let _gone = command.answer.send(answer);
        Ok(())
    }

    fn pause(&self) -> std::time::Duration {
        let due = self.scheduler.next_wakeup().map(|at| at.minus(self.clock.now()));
        let due = due.map(|wait| std::time::Duration::from_millis(wait.0));
        due.map_or(self.options.tick, |due| due.min(self.options.tick))
    }

    async fn take_over(
        &mut self,
        recovered: Recovered,
        name: impl Fn(&TrainKey) -> TrialName,
    ) -> Result<(), DriveError> {
        for (row, outcome) in recovered.ended {
            let job = self.job_of(&row.train_key);
            let phase = job.and_then(|job| self.scheduler.phase(job));
            let retried = matches!(phase, Some(Phase::Ready { .. }));
            let metric = self.metric(&row, &outcome).await?;
            self.tell(RunEvent::AttemptEnded {
                trial: name(&row.train_key),
                attempt: row.number,
                outcome,
                metric,
                retried,
            });
        }
        for elsewhere in &recovered.unreachable {
            let place = elsewhere.place();
            let text = format!("is alive out of reach, {place}: left alone, stop it where it runs");
            self.tell(RunEvent::Noted { trial: name(&elsewhere.trial), text });
        }
        self.elsewhere = recovered.unreachable;
        for attempt in recovered.adopted {
            let Some(job) = self.job_of(&attempt.row.train_key) else { continue };
            let running_for = self.clock.age(&attempt.handle);
            let device = attempt.row.device.clone();
            self.tell_started(&attempt, Origin::Adopted);
            self.live.insert(job, attempt);
            self.give(Input::Adopted { job, device, running_for }).await?;
        }
        Ok(())
    }

    pub(super) fn job_of(&self, key: &TrainKey) -> Option<JobNo> {
        self.numbers.get(key).copied()
    }

    pub(super) async fn stop(&mut self, request: StopRequest) -> Result<(), DriveError> {
        let times = match request {
            StopRequest::Politely => 1,
            StopRequest::ByForce => 2,
            StopRequest::Detach => 3,
        };
        self.summary.interrupted = true;
        self.tell(RunEvent::Stopping { times });
        self.give(Input::Stop(request)).await
    }

    /// Gives the scheduler an input, performs its actions, and goes on with their answers.
    pub(super) async fn give(&mut self, input: Input) -> Result<(), DriveError> {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            for action in self.scheduler.step(input, self.clock.now())? {
                self.perform(action).await?;
            }
        }
        Ok(())
    }
}

fn policy(plan: &Plan, options: Options) -> Policy {
    let millis =
        |time: std::time::Duration| Millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let resources = &plan.meta.resources;
    Policy {
        max_retries: plan.meta.max_retries,
        backoff: options.backoff,
        time_limit: resources.time_limit.map(millis),
        grace: options.grace,
        max_failed: options.max_failed,
        stall_limit: resources.stall_limit.map(millis),
        budget: options.budget,
        suspicion: Suspicion::default(),
    }
}
