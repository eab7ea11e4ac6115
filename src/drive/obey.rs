//! What a run does when it is asked for something. Every durable wish is in the store before it
//! takes effect. A run that has done its last step still writes such wishes down, and refuses all
//! else: whoever asks can act itself soon.

use super::command::{Answer, Request, RunWish, StopHow, When};
use super::error::DriveError;
use super::event::RunEvent;
use super::recover::{Elsewhere, lock_is_held};
use super::run::Run;
use crate::exec::Executor;
use crate::ids::TrainKey;
use crate::schedule::{Input, JobNo, Manner, StopRequest};
use crate::store::Edit;

impl<E: Executor> Run<'_, E> {
    /// Does what is asked, as far as it goes.
    pub(super) async fn obey(&mut self, request: Request) -> Result<Answer, DriveError> {
        match request {
            Request::Edit { edit } => self.edit(edit).await,
            Request::Who | Request::Run { .. } | Request::Stop { .. } if self.finished => {
                Ok(Answer::ending())
            }
            Request::Who => Ok(Answer::Here {
                pid: std::process::id(),
                sweep: self.plan.meta.name.clone(),
                paused: self.scheduler.is_paused(),
            }),
            Request::Run { wish } => self.wish(wish).await,
            Request::Stop { trials, how } => self.stop_some(&trials, how).await,
        }
    }

    async fn wish(&mut self, wish: RunWish) -> Result<Answer, DriveError> {
        let paused = self.scheduler.is_paused();
        let count = self.live.len() as u64;
        match wish {
            RunWish::Pause | RunWish::Resume if !self.scheduler.starts_more() => {
                let why = "nothing more starts in it, it ends with what runs".to_owned();
                return Ok(Answer::Refused { why });
            }
            RunWish::Pause if paused => {}
            RunWish::Pause => {
                self.tell(RunEvent::Paused);
                self.give(Input::Pause).await?;
            }
            RunWish::Resume if !paused => {}
            RunWish::Resume => {
                self.tell(RunEvent::Resumed);
                self.give(Input::Resume).await?;
            }
            RunWish::Stop => return self.end(StopRequest::Politely).await,
            RunWish::Kill => return self.end(StopRequest::ByForce).await,
        }
        Ok(Answer::Granted { count, when: When::Now })
    }

    /// Ends the run, and its attempts before it.
    async fn end(&mut self, how: StopRequest) -> Result<Answer, DriveError> {
        let asked = self.live.len() as u64;
        self.stop(how).await?;
        let plan = self.plan;
        let planned = |trial: &TrainKey| plan.trials.iter().any(|other| other.train_key == *trial);
        Ok(Answer::Stopping { asked, elsewhere: self.elsewhere(planned) })
    }

    /// Returns those attempts of such trials that are out of reach and still alive, as far as their
    /// locks tell.
    fn elsewhere(&self, chosen: impl Fn(&TrainKey) -> bool) -> Vec<Elsewhere> {
        let is_alive = |far: &&Elsewhere| {
            chosen(&far.trial) && lock_is_held(self.store, &far.trial).unwrap_or(true)
        };
        self.elsewhere.iter().filter(is_alive).cloned().collect()
    }

    async fn stop_some(&mut self, trials: &[TrainKey], how: StopHow) -> Result<Answer, DriveError> {
        let manner = match how {
            StopHow::Politely => Manner::Softly,
            StopHow::ByForce => Manner::Hard,
        };
        let live: Vec<JobNo> =
            self.jobs_of(trials).into_iter().filter(|job| self.live.contains_key(job)).collect();
        let asked = live.len() as u64;
        for job in live {
            self.give(Input::StopJob { job, manner }).await?;
        }
        Ok(Answer::Stopping { asked, elsewhere: self.elsewhere(|trial| trials.contains(trial)) })
    }

    async fn edit(&mut self, edit: Edit) -> Result<Answer, DriveError> {
        if let Edit::Remove { sweep } = &edit
            && *sweep == self.plan.meta.name
        {
            if self.finished {
                return Ok(Answer::ending());
            }
            let why = format!("sweep `{sweep}` is at work; stop it first, then remove it");
            return Ok(Answer::Refused { why });
        }
        match self.store.edit(&edit, self.clock.wall_ms()).await {
            Ok(count) => {
                let when = self.follow(&edit).await?;
                Ok(Answer::Granted { count, when })
            }
            // The wish is not granted, which is no reason to leave the attempts alone.
            Err(error) => Ok(Answer::Refused { why: error.to_string() }),
        }
    }

    /// Lets this run know what a durable wish means for it, and returns when it acts upon it.
    async fn follow(&mut self, edit: &Edit) -> Result<When, DriveError> {
        let (trials, input): (_, fn(JobNo) -> Input) = match edit {
            Edit::Hold { trials } => (trials, Input::Hold),
            Edit::Release { trials } => (trials, Input::Release),
            Edit::Pardon { trials } => (trials, Input::Retry),
            Edit::Tag { .. } | Edit::Remove { .. } | Edit::Restore { .. } => {
                return Ok(When::Now);
            }
        };
        let jobs = self.jobs_of(trials);
        let has_all = trials.iter().all(|key| self.job_of(key).is_some());
        for job in jobs {
            self.give(input(job)).await?;
        }
        Ok(match self.scheduler.is_paused() {
            _ if !has_all || !self.scheduler.starts_more() => When::NextRun,
            true => When::OnceResumed,
            false => When::Now,
        })
    }

    /// Returns those trials that this run knows, in the order of the plan.
    fn jobs_of(&self, trials: &[TrainKey]) -> Vec<JobNo> {
        let mut jobs: Vec<JobNo> = trials.iter().filter_map(|key| self.job_of(key)).collect();
        jobs.sort_unstable();
        jobs.dedup();
        jobs
    }
}
