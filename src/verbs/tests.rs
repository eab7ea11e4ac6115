//! Verbs on a store of their own, with nobody at work and with a run that ends under them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::control::Server;
use crate::drive::command::{Answer, ENDING, Request, When};
use crate::drive::lock::StateLock;
use crate::plan::{self, Limit};
use crate::store::rows::Wished;

const SWEEP: &str = "schema = 1\nname = \"tiny\"\n[base]\ndata.name = \"shapes\"\n\
                     batch_size = 64\nupdate_batch_size = 64\n[replicates]\nseeds = [0, 1]\n";

/// A state folder with a sweep of two trials.
struct Bench {
    folder: tempfile::TempDir,
    keys: Vec<TrainKey>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let unknown = |_: &Path| None;
        let request = plan::Request { overrides: &[], digests: &unknown, limit: Limit::Million };
        let plan = plan::expand(&crate::spec::parse("t", SWEEP).unwrap(), &request).unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        store.sync_plan(&plan, 0).await.unwrap();
        store.close().await;
        let keys = plan.trials.into_iter().map(|trial| trial.train_key).collect();
        Self { folder, keys }
    }

    fn first(&self) -> Subject<'_> {
        let scope = Scope::Trials(self.keys[..1].to_vec());
        Subject { state: self.folder.path(), sweep: "tiny", scope }
    }

    fn all(&self) -> Subject<'_> {
        Subject { scope: Scope::Sweep, ..self.first() }
    }

    async fn wished(&self) -> Vec<Option<Wished>> {
        let store = Store::open_read_only(self.folder.path()).await.unwrap().unwrap();
        let wished = store.wished(&self.keys).await.unwrap();
        self.keys.iter().map(|key| wished.get(key).cloned()).collect()
    }

    /// Begins a run that says who it is, refuses all else as one that is about to end, and does so
    /// at the first refusal. Returns once it listens.
    async fn ending_run(&self) -> tokio::task::JoinHandle<()> {
        let (ready, listens) = oneshot::channel();
        let state: PathBuf = self.folder.path().to_owned();
        let run = tokio::spawn(async move {
            let lock = StateLock::take(&state).unwrap();
            let (sender, mut commands) = mpsc::channel(4);
            let server = Server::listen(&state, &lock, sender).unwrap();
            ready.send(()).unwrap();
            while let Some(command) = commands.recv().await {
                let here = Answer::Here { pid: 7, sweep: "tiny".into(), paused: false };
                let is_who = command.request == Request::Who;
                let answer = if is_who { here } else { Answer::Refused { why: ENDING.into() } };
                let _left = command.answer.send(answer);
                if !is_who {
                    break;
                }
            }
            server.close().await;
        });
        listens.await.unwrap();
        run
    }
}

fn is_send<T: Send>(future: T) -> T {
    future
}

#[tokio::test]
async fn with_nobody_at_work_a_verb_acts_itself_and_twice_is_once() {
    let bench = Bench::new().await;
    let held = |changed| {
        let trials = bench.keys[..1].to_vec();
        Eased::Trials(Edited { trials, changed, by: Doer::Here, when: When::NextRun })
    };
    assert_eq!(is_send(pause(&bench.first())).await.unwrap(), held(1));
    assert_eq!(pause(&bench.first()).await.unwrap(), held(0));
    assert!(bench.wished().await[0].as_ref().unwrap().held_ms.is_some());
    assert_eq!(is_send(resume(&bench.first())).await.unwrap(), held(1));
    let refused = pause(&bench.all()).await.unwrap_err();
    assert!(matches!(&refused, VerbError::NoRun { sweep } if sweep == "tiny"));
    assert!(refused.is_nothing());
    let refused = is_send(retry(&bench.all())).await.unwrap_err();
    assert!(matches!(refused, VerbError::NothingToRetry { .. }));
    let how = crate::drive::command::StopHow::ByForce;
    let refused = is_send(stop(&bench.all(), how, Duration::ZERO)).await.unwrap_err();
    assert!(matches!(refused, VerbError::NothingRuns { .. }));
}

#[tokio::test]
async fn a_verb_that_meets_the_end_of_a_run_does_it_itself() {
    let bench = Bench::new().await;
    let run = bench.ending_run().await;
    assert!(matches!(at_work(bench.folder.path()).await.unwrap(), AtWork::Run { pid: 7, .. }));
    let Eased::Trials(edited) = pause(&bench.first()).await.unwrap() else { panic!("trials") };
    assert_eq!((edited.changed, edited.by, edited.when), (1, Doer::Here, When::NextRun));
    assert!(bench.wished().await[0].as_ref().unwrap().held_ms.is_some());
    run.await.unwrap();

    let run = bench.ending_run().await;
    let refused = pause(&bench.all()).await.unwrap_err();
    assert!(matches!(refused, VerbError::NoRun { .. }), "{refused}");
    run.await.unwrap();
}

#[tokio::test]
async fn who_holds_the_lock_without_listening_is_somebody() {
    let bench = Bench::new().await;
    let lock = StateLock::take(bench.folder.path()).unwrap();
    assert_eq!(at_work(bench.folder.path()).await.unwrap(), AtWork::Somebody);
    drop(lock);
    assert_eq!(is_send(at_work(bench.folder.path())).await.unwrap(), AtWork::Nobody);
}
