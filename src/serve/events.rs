//! Server-sent events: one line says that something changed, and the script asks for its page
//! again. Knows nothing of what changed.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream};

use super::house::House;

/// A line that means nothing, so that nobody in between thinks the connection dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers with a stream that ends when the server does.
pub(super) async fn serve(
    State(house): State<House>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let beats = house.pulse.watch();
    let stopping = house.stopping.clone();
    let events = stream::unfold((beats, stopping), |(mut beats, mut stopping)| async move {
        tokio::select! {
            changed = beats.changed() => changed.ok()?,
            _ = stopping.wait_for(|stops| *stops) => return None,
        }
        let count = beats.borrow_and_update().count;
        let event = Event::default().event("change").data(count.to_string());
        Some((Ok(event), (beats, stopping)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
