//! What all requests share: the store, the rosters that were read, who watches, the secret.

use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use tokio::sync::watch;

use super::drawing::Draw;
use super::error::{Refusal, causes};
use super::forecast::{self, Foresee};
use super::guard::Rules;
use super::latest::Latest;
use super::pulse::Pulse;
use super::roster::Roster;
use super::rosters::Rosters;
use super::token::Token;
use super::who::Who;
use crate::control::controller::Controller;
use crate::exec::meters::{Meters, Reader};
use crate::ids::TrainKey;
use crate::store::Store;
use crate::verbs;

/// What all requests share.
#[derive(Clone)]
pub(super) struct House(Arc<Rooms>);

impl std::ops::Deref for House {
    type Target = Rooms;

    fn deref(&self) -> &Rooms {
        &self.0
    }
}

/// See [`House`].
pub(super) struct Rooms {
    pub(super) store: Store,
    pub(super) pulse: Pulse,
    pub(super) who: Arc<Who>,
    pub(super) token: Token,
    pub(super) rules: Rules,
    /// Turns true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    rosters: Rosters,
    pub(super) forecasts: Latest<Foresee>,
    pub(super) drawings: Latest<Draw>,
    meters: std::sync::Mutex<Reader>,
}

impl House {
    /// Puts it together. Call it within a runtime.
    pub(super) fn new(
        store: Store,
        token: Token,
        rules: Rules,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let who = Arc::new(Who::of(store.state_dir().to_owned()));
        Self(Arc::new(Rooms {
            pulse: Pulse::start(store.clone(), Arc::clone(&who)),
            who,
            store,
            token,
            rules,
            stopping,
            rosters: Rosters::default(),
            forecasts: Latest::default(),
            drawings: Latest::default(),
            meters: std::sync::Mutex::new(Reader::open()),
        }))
    }

    /// Reads the latest sweep before anybody asks for it.
    pub(super) async fn warm(self) {
        // What cannot be read is told of by the page that asks for it.
        if let Ok(Some(sweep)) = self.store.latest_sweep().await
            && let Ok(roster) = self.roster(&sweep.name).await
        {
            let _worked_out = forecast::of(&self, &roster).await;
        }
    }

    /// Returns a sweep's trials as they are now.
    pub(super) async fn roster(&self, name: &str) -> Result<Arc<Roster>, Refusal> {
        match self.rosters.of(&self.store, name).await? {
            Some(roster) => Ok(roster),
            None => Err(self.no_sweep(name).await),
        }
    }

    /// Returns a sweep's trials as they are now, with those marked that run no more though nobody
    /// wrote it down.
    pub(super) async fn roster_beside(
        &self,
        name: &str,
        controller: &Controller,
    ) -> Result<Arc<Roster>, Refusal> {
        let roster = self.roster(name).await?;
        let trials = roster.rows.iter().map(|row| &row.trial);
        let gone = verbs::interrupted(&self.store, controller, trials).await;
        let gone = gone.map_err(|error| Refusal::internal(&error))?;
        Ok(if gone.is_empty() { roster } else { Arc::new(roster.interrupted(&gone)) })
    }

    /// Reads the meters of this machine. Asks the driver, which may take its time.
    pub(super) fn meters(&self) -> Meters {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner).read()
    }

    async fn no_sweep(&self, name: &str) -> Refusal {
        let names = match self.store.sweeps().await {
            Ok(sweeps) => sweeps.into_iter().map(|sweep| sweep.name).collect::<Vec<_>>(),
            Err(error) => return error.into(),
        };
        let there = match names.as_slice() {
            [] => "there is no sweep yet: start with `byol-sweep run FILE`".to_owned(),
            names => format!("there is {}", names.join(", ")),
        };
        Refusal::not_found(format!("there is no sweep `{name}`"), there)
    }

    /// Returns a sweep's trials and the place of the one whose key begins so.
    pub(super) async fn trial(
        &self,
        name: &str,
        prefix: &str,
    ) -> Result<(Arc<Roster>, usize), Refusal> {
        let roster = self.roster(name).await?;
        if let Some(place) = prefix.parse::<TrainKey>().ok().and_then(|key| roster.place(&key)) {
            return Ok((roster, place));
        }
        let mut found = (0..roster.rows.len()).filter(|place| {
            let row = &roster.rows[*place];
            prefix.len() >= 4 && row.trial.train_key.as_str().starts_with(prefix)
        });
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (Some(place), None) => Ok((roster, place)),
            (Some(_), Some(_)) => Err(Refusal::not_found(
                format!("several trials of {name} have keys that begin with {prefix}"),
                "give more digits",
            )),
            (None, _) => Err(Refusal::not_found(
                format!("{name} asks for no trial {prefix}"),
                "its file may have changed since; the list of its trials has those it asks for now",
            )),
        }
    }
}

/// Runs what computes for long on a thread where it holds up nobody.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "a computation broke off", causes(&error))
    })
}

/// Returns the time on the wall, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
