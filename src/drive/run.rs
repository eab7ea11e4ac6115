//! One run: the scheduler between its inputs and its actions.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::agenda::{Agenda, RunJob};
use super::clock::Clock;
use super::error::DriveError;
use super::event::{RunEvent, RunSummary, TrialName};
use super::live::LiveAttempt;
use super::recover::{Recovered, recover};
use super::signals::StopSource;
use super::{Images, Observer, Options, RunRequest, disk, names};
use crate::exec::{Executor, Force, JobHandle, JobStatus};
use crate::ids::{AttemptNo, TrainKey};
use crate::outcome::{Exit, Outcome, StopReason, Verdict};
use crate::plan::Plan;
use crate::protocol::{EventLine, WorkerEvent};
use crate::schedule::phase::Conclusion;
use crate::schedule::policy::Policy;
use crate::schedule::{Action, Ending, Input, JobNo, Millis, Scheduler, StopRequest};
use crate::store::Store;
use crate::store::rows::AttemptRow;

/// See the module.
pub(super) struct Run<'a, E> {
    pub(super) plan: &'a Plan,
    pub(super) store: &'a Store,
    pub(super) executor: &'a E,
    pub(super) images: Images<'a>,
    options: Options,
    observer: &'a mut dyn Observer,
    pub(super) clock: Clock,
    scheduler: Scheduler,
    pub(super) jobs: Vec<RunJob<'a>>,
    pub(super) live: BTreeMap<JobNo, LiveAttempt>,
    /// Ended attempts that observers hear of once it is known whether another follows.
    untold: HashMap<JobNo, EndedAttempt>,
    pub(super) inputs: VecDeque<Input>,
    summary: RunSummary,
    finished: bool,
}

struct EndedAttempt {
    number: AttemptNo,
    outcome: Outcome,
    metric: Option<f64>,
}

impl<'a, E: Executor> Run<'a, E> {
    /// Compares the plan with the store, and takes over what an earlier controller left alive.
    pub(super) async fn prepare(
        request: RunRequest<'a, E>,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, DriveError> {
        let RunRequest { plan, store, executor, slots, images, options } = request;
        let clock = Clock::start();
        store.sync_plan(plan, clock.wall_ms()).await?;
        let names: HashMap<&TrainKey, TrialName> =
            plan.trials.iter().map(|trial| (&trial.train_key, names::name(trial))).collect();
        let name = |key: &TrainKey| names.get(key).cloned().unwrap_or_else(|| names::stranger(key));
        let recovered = recover(store, executor, &clock, name).await?;
        let keys: Vec<TrainKey> = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
        let known = store.known(&plan.eval_key, &keys).await?;
        let agenda = Agenda::draw_up(plan, &known, &recovered, options);
        if slots.is_empty() && !agenda.jobs.is_empty() {
            return Err(DriveError::NoSlots);
        }
        let count = slots.len();
        let mut run = Self {
            plan,
            store,
            executor,
            images,
            options,
            observer,
            clock,
            scheduler: Scheduler::new(agenda.budgets, slots, policy(plan, options)),
            jobs: agenda.jobs,
            live: BTreeMap::new(),
            untold: HashMap::new(),
            inputs: VecDeque::new(),
            summary: agenda.summary,
            finished: false,
        };
        run.tell(RunEvent::Started {
            sweep: plan.meta.name.clone(),
            trials: plan.trials.len(),
            done: run.summary.done,
            slots: count,
        });
        run.take_over(recovered, name).await?;
        Ok(run)
    }

    /// Runs until nothing is left to do or the user has had enough.
    pub(super) async fn play(
        &mut self,
        stop: &mut impl StopSource,
    ) -> Result<RunSummary, DriveError> {
        self.give(Input::Tick).await?;
        while !self.finished {
            let request = tokio::select! {
                biased;
                request = stop.next() => Some(request),
                () = self.executor.changed() => None,
                () = tokio::time::sleep(self.pause()) => None,
            };
            if let Some(request) = request {
                self.stop(request).await?;
            }
            self.observe().await?;
            self.give(Input::Tick).await?;
        }
        let concluded = self.summary.done + self.summary.failed + self.summary.left;
        // Those that were left running have no conclusion.
        self.summary.left += self.plan.trials.len().saturating_sub(concluded);
        self.tell(RunEvent::Finished(self.summary.clone()));
        Ok(self.summary.clone())
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
            let retried = self.job_of(&row.train_key).is_some();
            let metric = self.metric(&row, &outcome).await?;
            self.tell(RunEvent::AttemptEnded {
                trial: name(&row.train_key),
                attempt: row.number,
                outcome,
                metric,
                retried,
            });
        }
        for key in &recovered.unreachable {
            let text = "is still running where this controller cannot reach it; left alone";
            self.tell(RunEvent::Noted { trial: name(key), text: text.to_owned() });
        }
        for attempt in recovered.adopted {
            let Some(job) = self.job_of(&attempt.row.train_key) else { continue };
            let since = self.clock.wall_ms().saturating_sub(attempt.row.started_ms);
            let running_for = Millis(u64::try_from(since).unwrap_or(0));
            let device = attempt.row.device.clone();
            self.tell_started(&attempt, Origin::Adopted);
            self.live.insert(job, attempt);
            self.give(Input::Adopted { job, device, running_for }).await?;
        }
        Ok(())
    }

    fn job_of(&self, key: &TrainKey) -> Option<JobNo> {
        self.jobs.iter().position(|job| job.name.key == *key).map(JobNo)
    }

    async fn stop(&mut self, request: StopRequest) -> Result<(), DriveError> {
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
    async fn give(&mut self, input: Input) -> Result<(), DriveError> {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            for action in self.scheduler.step(input, self.clock.now())? {
                self.perform(action).await?;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, action: Action) -> Result<(), DriveError> {
        match action {
            Action::Launch { job, slot } => self.launch(job, &slot).await,
            Action::StopSoftly { job, why } => self.stop_attempt(job, why, Force::Soft).await,
            Action::StopHard { job, why } => self.stop_attempt(job, why, Force::Hard).await,
            Action::Retry { job, .. } => {
                self.tell_ended(job, Sequel::Another);
                Ok(())
            }
            Action::Concluded { job, conclusion } => {
                self.tell_ended(job, Sequel::None);
                self.count(job, conclusion);
                Ok(())
            }
            Action::StartNoMore => {
                let folder = self.store.state_dir().to_owned();
                let free_bytes = disk::free_bytes(&folder);
                self.tell(RunEvent::DiskFull { folder, free_bytes });
                Ok(())
            }
            Action::Finished => {
                self.finished = true;
                Ok(())
            }
        }
    }

    fn count(&mut self, job: JobNo, conclusion: Conclusion) {
        if self.jobs[job.0].trial.is_none() {
            return;
        }
        match conclusion {
            Conclusion::Done => self.summary.done += 1,
            Conclusion::Failed => self.summary.failed += 1,
            Conclusion::Left => self.summary.left += 1,
        }
    }

    async fn stop_attempt(
        &mut self,
        job: JobNo,
        why: StopReason,
        force: Force,
    ) -> Result<(), DriveError> {
        let Some(attempt) = self.live.get_mut(&job) else { return Ok(()) };
        attempt.stop = Some(why);
        self.executor.stop(&attempt.handle, force).await?;
        Ok(())
    }

    /// Looks at all live attempts, reads what they told, and ends those that are gone.
    async fn observe(&mut self) -> Result<(), DriveError> {
        let handles: Vec<JobHandle> =
            self.live.values().map(|attempt| attempt.handle.clone()).collect();
        let jobs: Vec<JobNo> = self.live.keys().copied().collect();
        // First the processes, then their events: what is gone writes nothing more.
        let statuses = self.executor.look(&handles).await?;
        for (job, status) in jobs.into_iter().zip(statuses) {
            self.read(job).await?;
            match status {
                JobStatus::Alive => self.kill_if_over(job).await?,
                JobStatus::Gone(exit) => self.settle(job, exit).await?,
            }
        }
        Ok(())
    }

    async fn read(&mut self, job: JobNo) -> Result<(), DriveError> {
        let Some(attempt) = self.live.get_mut(&job) else { return Ok(()) };
        let lines = attempt.events.drain(self.store).await?;
        let name = attempt.name.clone();
        for EventLine { event, .. } in lines {
            match event {
                WorkerEvent::Progress(progress) => {
                    self.tell(RunEvent::Progressed { trial: name.clone(), progress });
                }
                WorkerEvent::Note { text } => {
                    self.tell(RunEvent::Noted { trial: name.clone(), text });
                }
                WorkerEvent::Started(_)
                | WorkerEvent::Metrics { .. }
                | WorkerEvent::Evaluated { .. }
                | WorkerEvent::Checkpointed { .. }
                | WorkerEvent::Artifact { .. }
                | WorkerEvent::Ended { .. } => {}
            }
        }
        Ok(())
    }

    async fn kill_if_over(&mut self, job: JobNo) -> Result<(), DriveError> {
        let Some(attempt) = self.live.get_mut(&job) else { return Ok(()) };
        if attempt.is_over(self.clock.now(), self.options.grace) {
            self.executor.stop(&attempt.handle, Force::Hard).await?;
        }
        Ok(())
    }

    async fn settle(&mut self, job: JobNo, exit: Exit) -> Result<(), DriveError> {
        let Some(attempt) = self.live.remove(&job) else { return Ok(()) };
        self.executor.clear(&attempt.row.folder, Some(&attempt.handle)).await?;
        let before = self.store.checkpoint_before(&attempt.row).await?;
        let outcome = attempt.events.judge(exit, attempt.stop, before);
        let ending = self.ending(job, &attempt, &outcome);
        self.end(job, &attempt.row, outcome).await?;
        self.give(Input::Ended { job, ending }).await
    }

    fn ending(&self, job: JobNo, attempt: &LiveAttempt, outcome: &Outcome) -> Ending {
        match (self.jobs[job.0].trial, outcome) {
            // Only its own sweep knows how to go on with it.
            (None, _) => Ending::Done,
            // A finished attempt of another protocol leaves this one's evaluation to do.
            (Some(_), Outcome::Finished { verdict: Verdict::Healthy | Verdict::Collapsed })
                if attempt.row.eval_key != self.plan.eval_key =>
            {
                Ending::Again
            }
            (Some(_), Outcome::Finished { .. }) => Ending::Done,
            // Not by us: an earlier controller had asked, or somebody's signal.
            (Some(_), Outcome::Stopped) if attempt.stop.is_none() => Ending::Again,
            (Some(_), Outcome::Stopped) => Ending::Stopped,
            (Some(_), Outcome::Failed { reason, .. }) => Ending::Failed(*reason),
        }
    }

    pub(super) async fn end(
        &mut self,
        job: JobNo,
        row: &AttemptRow,
        outcome: Outcome,
    ) -> Result<(), DriveError> {
        self.store.end_attempt(row.id, &outcome, self.clock.wall_ms()).await?;
        let metric = self.metric(row, &outcome).await?;
        self.untold.insert(job, EndedAttempt { number: row.number, outcome, metric });
        Ok(())
    }

    /// Returns the sweep's report metric of a finished attempt.
    async fn metric(&self, row: &AttemptRow, outcome: &Outcome) -> Result<Option<f64>, DriveError> {
        match outcome {
            Outcome::Finished { .. } => {}
            Outcome::Stopped | Outcome::Failed { .. } => return Ok(None),
        }
        let key = std::slice::from_ref(&row.train_key);
        let finals = self.store.finals(&row.eval_key, key).await?;
        let values = finals.first().map(|finals| &finals.values);
        Ok(values.and_then(|values| values.get(&self.plan.meta.report_metric)).copied())
    }

    pub(super) fn tell_started(&mut self, attempt: &LiveAttempt, origin: Origin) {
        self.tell(RunEvent::AttemptStarted {
            trial: attempt.name.clone(),
            attempt: attempt.row.number,
            kind: attempt.row.kind,
            device: attempt.row.device.clone(),
            adopted: origin == Origin::Adopted,
        });
    }

    fn tell_ended(&mut self, job: JobNo, sequel: Sequel) {
        let Some(EndedAttempt { number, outcome, metric }) = self.untold.remove(&job) else {
            return;
        };
        self.tell(RunEvent::AttemptEnded {
            trial: self.jobs[job.0].name.clone(),
            attempt: number,
            outcome,
            metric,
            retried: sequel == Sequel::Another,
        });
    }

    fn tell(&mut self, event: RunEvent) {
        self.observer.on(&event);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Launched,
    Adopted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sequel {
    Another,
    None,
}

fn policy(plan: &Plan, options: Options) -> Policy {
    let millis =
        |time: std::time::Duration| Millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Policy {
        max_retries: plan.meta.max_retries,
        backoff: options.backoff,
        time_limit: plan.meta.resources.time_limit.map(millis),
        grace: options.grace,
        max_failed: options.max_failed,
    }
}
