//! Notices that the database changed, or who is at work, while somebody watches: a number is looked
//! at a few times a second, and all who watch are told by the one who looks. Nobody looks while
//! nobody watches.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::who::Who;
use crate::store::Store;

/// Time between two looks: an update is seen within a second of its event, with time to draw it.
const EVERY: Duration = Duration::from_millis(250);

/// What is told to those who watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Beat {
    /// Rises with each change that was noticed.
    pub(super) count: u64,
}

/// The one who looks.
#[derive(Debug)]
pub(super) struct Pulse {
    beats: watch::Sender<Beat>,
    somebody: Arc<Notify>,
}

impl Pulse {
    /// Looks from now on. Call it within a runtime; it ends with that.
    pub(super) fn start(store: Store, who: Arc<Who>) -> Self {
        let (beats, _) = watch::channel(Beat::default());
        let somebody = Arc::new(Notify::new());
        tokio::spawn(look(store, who, beats.clone(), Arc::clone(&somebody)));
        Self { beats, somebody }
    }

    /// Watches: the receiver learns of every change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Beat> {
        let receiver = self.beats.subscribe();
        self.somebody.notify_one();
        receiver
    }

    /// Tells all who watch of what no database shows.
    pub(super) fn tell(&self) {
        beat(&self.beats);
    }
}

fn beat(beats: &watch::Sender<Beat>) {
    beats.send_modify(|beat| beat.count += 1);
}

async fn look(store: Store, who: Arc<Who>, beats: watch::Sender<Beat>, somebody: Arc<Notify>) {
    let mut known = None;
    loop {
        if beats.receiver_count() == 0 {
            somebody.notified().await;
        }
        // A database that cannot be read is told of by the page that asks for it.
        let now = Some((store.data_version().await.ok(), who.look().await));
        if now != known {
            beat(&beats);
            known = now;
        }
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Edit;

    #[tokio::test]
    async fn whoever_watches_is_told_of_a_change_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Store::open(folder.path()).await.unwrap();
        let reader = Store::open_read_only(folder.path()).await.unwrap().unwrap();
        let who = Arc::new(Who::of(folder.path().to_owned()));
        let pulse = Pulse::start(reader, who);
        let mut first = pulse.watch();
        // The first look tells once, since anything may have happened before it.
        first.changed().await.unwrap();
        let before = *first.borrow_and_update();
        let mut second = pulse.watch();
        writer.edit(&Edit::Remove { sweep: "none".into() }, 1).await.unwrap();
        writer.note_about("digest", None, 1).await.unwrap();
        first.changed().await.unwrap();
        second.changed().await.unwrap();
        assert!(first.borrow().count > before.count);
    }
}
