//! What takes long to work out of a sweep, the latest there is of it: worked out when somebody asks
//! first, and anew where it is old, beside those who ask and no more often than a tenth of the time.
//! Knows nothing of what it is.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::error::Refusal;

/// How many sweeps are kept, besides those that are worked out just now.
const SWEEPS: usize = 16;

/// How long it is good for, at least.
const FRESH: Duration = Duration::from_millis(250);

/// What is to be worked out of a sweep.
pub(super) trait Work: Clone + Send + Sync + 'static {
    type Out: Send + Sync + 'static;

    /// Works it out as of now; `before` is what took its place until now.
    fn work_out(
        self,
        before: Option<Arc<Self::Out>>,
    ) -> impl Future<Output = Result<Self::Out, Refusal>> + Send;

    /// Returns whether it is to be worked out anew.
    fn is_old(&self, known: &Self::Out) -> bool;

    /// Returns whether those who watch are to know that one took the place of the other.
    fn is_news(before: &Self::Out, now: &Self::Out) -> bool;

    /// Tells those who watch.
    fn tell(&self);
}

/// The latest of each sweep.
pub(super) struct Latest<W: Work> {
    /// By when they were asked for: the last one last.
    slots: std::sync::Mutex<Vec<(String, Slot<W>)>>,
}

/// Locked while the first is worked out, so that many who ask at once have it done once.
type Slot<W> = Arc<Mutex<Option<Known<W>>>>;

struct Known<W: Work> {
    out: Arc<W::Out>,
    /// When it may be worked out anew.
    due: Instant,
    next: Next,
}

/// Whether it is about to be worked out anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Anew,
}

impl<W: Work> Default for Latest<W> {
    fn default() -> Self {
        Self { slots: std::sync::Mutex::default() }
    }
}

impl<W: Work> Latest<W> {
    /// Returns what is known of a sweep, even if it is old: then it is worked out anew without
    /// anybody waiting for it.
    pub(super) async fn of(&self, sweep: &str, work: W) -> Result<Arc<W::Out>, Refusal> {
        let slot = self.slot(sweep);
        let mut kept = Arc::clone(&slot).lock_owned().await;
        let Some(known) = kept.as_mut() else {
            return first(work, kept).await;
        };
        if known.next == Next::Nothing && work.is_old(&known.out) {
            known.next = Next::Anew;
            tokio::spawn(anew(work, slot, Arc::clone(&known.out), known.due));
        }
        Ok(Arc::clone(&known.out))
    }

    /// Returns a sweep's slot. Where there are too many, those go that were not asked for longest;
    /// one that somebody holds stays, so that nothing is worked out twice at a time.
    fn slot(&self, sweep: &str) -> Slot<W> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let place = slots.iter().position(|(name, _)| name == sweep);
        let slot = place.map_or_else(Slot::default, |place| slots.remove(place).1);
        slots.push((sweep.to_owned(), Arc::clone(&slot)));
        let mut surplus = slots.len().saturating_sub(SWEEPS);
        slots.retain(|(_, slot)| {
            let goes = surplus > 0 && Arc::strong_count(slot) == 1;
            surplus -= usize::from(goes);
            !goes
        });
        slot
    }
}

/// Works it out first. Whoever asked may leave meanwhile, and ask again: it is done once.
async fn first<W: Work>(
    work: W,
    mut kept: OwnedMutexGuard<Option<Known<W>>>,
) -> Result<Arc<W::Out>, Refusal> {
    let first = tokio::spawn(async move {
        let first = Known::work_out(work, None).await?;
        Ok(Arc::clone(&kept.insert(first).out))
    });
    first.await.map_err(|error| Refusal::internal(&error))?
}

/// Works it out anew as soon as it may be.
async fn anew<W: Work>(work: W, slot: Slot<W>, before: Arc<W::Out>, due: Instant) {
    tokio::time::sleep_until(due).await;
    // A task of its own: one that breaks off must not leave the old one there for good.
    let now = tokio::spawn(Known::work_out(work.clone(), Some(Arc::clone(&before)))).await;
    let now = now.ok().and_then(Result::ok);
    let is_news = now.as_ref().is_none_or(|now| W::is_news(&before, &now.out));
    // Whoever asks next is told why there is none.
    *slot.lock().await = now;
    if is_news {
        work.tell();
    }
}

impl<W: Work> Known<W> {
    async fn work_out(work: W, before: Option<Arc<W::Out>>) -> Result<Self, Refusal> {
        let begun = Instant::now();
        let out = Arc::new(work.work_out(before).await?);
        let now = Instant::now();
        Ok(Self { out, due: now + FRESH.max(10 * (now - begun)), next: Next::Nothing })
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};
    use tokio::task::JoinHandle;

    use super::*;

    /// Something to be worked out by the test itself.
    #[derive(Clone)]
    struct Ask {
        age: Age,
        begun: mpsc::UnboundedSender<Begun>,
        told: mpsc::UnboundedSender<()>,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Age {
        Fresh,
        Old,
    }

    struct Begun {
        before: Option<u32>,
        answer: oneshot::Sender<u32>,
    }

    impl Work for Ask {
        type Out = u32;

        async fn work_out(self, before: Option<Arc<u32>>) -> Result<u32, Refusal> {
            let (answer, answered) = oneshot::channel();
            self.begun.send(Begun { before: before.map(|before| *before), answer }).ok().unwrap();
            Ok(answered.await.expect("the test lets this one break off"))
        }

        fn is_old(&self, _known: &u32) -> bool {
            self.age == Age::Old
        }

        fn is_news(before: &u32, now: &u32) -> bool {
            before != now
        }

        fn tell(&self) {
            self.told.send(()).unwrap();
        }
    }

    type Answer = JoinHandle<Result<Arc<u32>, Refusal>>;

    struct Bench {
        latest: Arc<Latest<Ask>>,
        ask: Ask,
        begun: mpsc::UnboundedReceiver<Begun>,
        told: mpsc::UnboundedReceiver<()>,
    }

    impl Bench {
        fn new() -> Self {
            let (to_begun, begun) = mpsc::unbounded_channel();
            let (to_told, told) = mpsc::unbounded_channel();
            let ask = Ask { age: Age::Fresh, begun: to_begun, told: to_told };
            Self { latest: Arc::default(), ask, begun, told }
        }

        fn ask(&self, sweep: &str, age: Age) -> Answer {
            let (latest, sweep) = (Arc::clone(&self.latest), sweep.to_owned());
            let work = Ask { age, ..self.ask.clone() };
            tokio::spawn(async move { latest.of(&sweep, work).await })
        }

        async fn known(&self, sweep: &str, age: Age) -> u32 {
            value(self.ask(sweep, age)).await
        }

        async fn begins(&mut self) -> Begun {
            soon(self.begun.recv()).await.unwrap()
        }

        fn nothing_else_began(&mut self) -> bool {
            self.begun.try_recv().is_err()
        }

        /// Has a sweep worked out that nothing is known of.
        async fn first(&mut self, sweep: &str, value: u32) {
            let asked = self.ask(sweep, Age::Fresh);
            let begun = self.begins().await;
            assert_eq!(begun.before, None, "{sweep}");
            begun.answer.send(value).unwrap();
            assert_eq!(self::value(asked).await, value, "{sweep}");
        }
    }

    async fn soon<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), what).await.expect("it comes to an end")
    }

    async fn value(asked: Answer) -> u32 {
        *soon(asked).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn many_who_ask_at_once_have_it_worked_out_once() {
        let mut bench = Bench::new();
        let asked = [(); 3].map(|()| bench.ask("tiny", Age::Fresh));
        bench.begins().await.answer.send(7).unwrap();
        for asked in asked {
            assert_eq!(value(asked).await, 7);
        }
        assert!(bench.nothing_else_began());
    }

    #[tokio::test]
    async fn whoever_waits_for_one_sweep_holds_up_no_other() {
        let mut bench = Bench::new();
        let slow = bench.ask("slow", Age::Fresh);
        let begun = bench.begins().await;
        bench.first("quick", 1).await;
        begun.answer.send(2).unwrap();
        assert_eq!(value(slow).await, 2);
    }

    #[tokio::test]
    async fn whoever_leaves_meanwhile_finds_it_done() {
        let mut bench = Bench::new();
        let asked = bench.ask("tiny", Age::Fresh);
        let begun = bench.begins().await;
        asked.abort();
        assert!(soon(asked).await.unwrap_err().is_cancelled());
        begun.answer.send(7).unwrap();
        assert_eq!(bench.known("tiny", Age::Fresh).await, 7);
        assert!(bench.nothing_else_began());
    }

    #[tokio::test]
    async fn an_old_one_is_shown_until_another_took_its_place() {
        let mut bench = Bench::new();
        bench.first("tiny", 1).await;
        assert_eq!(bench.known("tiny", Age::Fresh).await, 1);
        assert_eq!(bench.known("tiny", Age::Old).await, 1);
        let begun = bench.begins().await;
        assert_eq!(begun.before, Some(1));
        assert_eq!(bench.known("tiny", Age::Old).await, 1, "nobody waits for it");
        begun.answer.send(2).unwrap();
        soon(bench.told.recv()).await.unwrap();
        assert_eq!(bench.known("tiny", Age::Fresh).await, 2);
        assert!(bench.nothing_else_began());
    }

    #[tokio::test]
    async fn what_is_no_news_is_told_nobody() {
        let mut bench = Bench::new();
        bench.first("tiny", 1).await;
        for value in [1, 2] {
            // The one before may be about to take its place.
            let begun = loop {
                assert_eq!(bench.known("tiny", Age::Old).await, 1);
                if let Ok(begun) = bench.begun.try_recv() {
                    break begun;
                }
            };
            assert!(bench.told.try_recv().is_err());
            begun.answer.send(value).unwrap();
        }
        soon(bench.told.recv()).await.unwrap();
        assert!(bench.told.try_recv().is_err());
    }

    #[tokio::test]
    async fn one_that_breaks_off_is_tried_again_by_whoever_asks_next() {
        let mut bench = Bench::new();
        let asked = bench.ask("tiny", Age::Fresh);
        drop(bench.begins().await);
        assert_eq!(soon(asked).await.unwrap().unwrap_err().title, "something went wrong");
        bench.first("tiny", 1).await;
        bench.known("tiny", Age::Old).await;
        drop(bench.begins().await);
        soon(bench.told.recv()).await.unwrap();
        bench.first("tiny", 2).await;
    }

    #[tokio::test]
    async fn of_many_sweeps_those_asked_for_last_are_kept() {
        let mut bench = Bench::new();
        for (number, sweep) in (0..).zip(names()) {
            bench.first(&sweep, number).await;
        }
        assert_eq!(bench.known("0", Age::Fresh).await, 0);
        bench.first("another", 99).await;
        assert_eq!(bench.latest.slots.lock().unwrap().len(), SWEEPS);
        assert_eq!(bench.known("0", Age::Fresh).await, 0);
        assert!(bench.nothing_else_began());
        bench.first("1", 1).await;
    }

    #[tokio::test]
    async fn one_that_is_worked_out_is_kept_until_it_is_done() {
        let mut bench = Bench::new();
        bench.first("old", 1).await;
        bench.known("old", Age::Old).await;
        let slow = bench.ask("slow", Age::Fresh);
        let begun = [bench.begins().await, bench.begins().await];
        for sweep in names() {
            bench.first(&sweep, 0).await;
        }
        let again = bench.ask("slow", Age::Fresh);
        assert_eq!(bench.known("old", Age::Old).await, 1);
        for begun in begun {
            begun.answer.send(2).unwrap();
        }
        assert_eq!((value(slow).await, value(again).await), (2, 2));
        assert!(bench.nothing_else_began());
    }

    fn names() -> impl Iterator<Item = String> {
        (0..SWEEPS).map(|number| number.to_string())
    }
}
