//! Who is at work in the state folder, asked once a second at most however many watch: the answer
//! comes out of a controller's loop, which has better things to do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::control::controller::Controller;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_millis(900);

/// How long a page waits for one: a controller that prepares may take its time.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long one that did not answer is left alone.
const REST: Duration = Duration::from_secs(10);

/// Remembers who is at work.
#[derive(Debug)]
pub(super) struct Who {
    state: PathBuf,
    last: Mutex<Option<Answer>>,
}

#[derive(Clone, Debug)]
struct Answer {
    controller: Controller,
    good_until: Instant,
}

impl Who {
    pub(super) fn of(state: PathBuf) -> Self {
        Self { state, last: Mutex::new(None) }
    }

    /// Returns who is at work; where nobody answers in time, what was known before.
    pub(super) async fn look(&self) -> Controller {
        // Held while it is asked, so that many who want to know have it asked once.
        let mut last = self.last.lock().await;
        let now = Instant::now();
        if let Some(answer) = last.as_ref().filter(|answer| now < answer.good_until) {
            return answer.controller.clone();
        }
        let state = self.state.clone();
        let asked = tokio::task::spawn_blocking(move || Controller::look(&state));
        let (controller, good_for) = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(controller)) => (controller, FRESH),
            Ok(Err(_)) | Err(_) => {
                let before = last.take().map_or(Controller::None, |answer| answer.controller);
                (before, REST)
            }
        };
        *last = Some(Answer { controller: controller.clone(), good_until: now + good_for });
        controller
    }

    /// Has the next look ask again, whatever is known: something was just done.
    pub(super) async fn forget(&self) {
        if let Some(answer) = self.last.lock().await.as_mut() {
            answer.good_until = Instant::now();
        }
    }
}
