//! Where stop requests come from. Knows nothing of what they stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::error::DriveError;
use crate::schedule::StopRequest;

/// A stream of stop requests.
#[expect(async_fn_in_trait, reason = "the loop awaits them on its own task and needs no `Send`")]
pub trait StopSource {
    /// Returns the next request; never, when none will come. Nothing is lost when the future is
    /// dropped.
    async fn next(&mut self) -> StopRequest;
}

/// Real signals. SIGINT and SIGTERM count together: the first is polite, the second kills, the
/// third leaves. SIGHUP leaves at once, since the terminal is gone.
#[derive(Debug)]
pub struct SignalStops {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    times: u32,
}

impl SignalStops {
    /// Listens from now on. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system refuses a handler.
    pub fn listen() -> Result<Self, DriveError> {
        let on = |kind| signal(kind).map_err(|source| DriveError::Signals { source });
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
            times: 0,
        })
    }
}

impl StopSource for SignalStops {
    async fn next(&mut self) -> StopRequest {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => return StopRequest::Detach,
        }
        self.times = self.times.saturating_add(1);
        match self.times {
            0 | 1 => StopRequest::Politely,
            2 => StopRequest::ByForce,
            3.. => StopRequest::Detach,
        }
    }
}

/// Requests from elsewhere in this process.
#[derive(Debug)]
pub struct ChannelStops(mpsc::UnboundedReceiver<StopRequest>);

impl ChannelStops {
    /// Makes both ends. When all senders are gone, no request comes any more.
    pub fn new() -> (mpsc::UnboundedSender<StopRequest>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }
}

impl StopSource for ChannelStops {
    async fn next(&mut self) -> StopRequest {
        match self.0.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }
}
