//! A sweep's trials, kept up to date: what never changes is read once, and after that only the
//! trials whose attempts began or ended, or of which people wish something else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::look::Look;
use crate::filter::{Facts, Subject, subjects};
use crate::ids::{GroupKey, TrainKey};
use crate::plan::Label;
use crate::store::rows::{EarlyStopRow, SweepRow, TrialRow, TrialState};
use crate::store::{Seen, Store, StoreError, Wish};

/// A trial with its results and wishes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) trial: TrialRow,
    pub(super) finals: BTreeMap<String, f64>,
    pub(super) wish: Wish,
    /// Its attempt has no end in the store, and no process.
    pub(super) is_interrupted: bool,
}

impl Row {
    /// Returns how it looks.
    pub(super) fn look(&self) -> Look {
        Look::of(&self.trial, self.wish.held_ms.is_some(), self.is_interrupted)
    }

    /// Returns with what it ended, if it did.
    fn end(&self) -> Option<impl PartialEq> {
        let Self { trial, finals, .. } = self;
        match trial.state {
            TrialState::Pending | TrialState::Running | TrialState::Stopped => None,
            TrialState::Trained | TrialState::Done | TrialState::Failed | TrialState::Pruned => {
                Some((trial.state, trial.verdict, &trial.failure, finals))
            }
        }
    }

    fn facts(&self) -> Facts<'_> {
        let Self { trial, finals, wish, is_interrupted } = self;
        Facts {
            trial,
            finals: Some(finals),
            is_interrupted: *is_interrupted,
            is_held: wish.held_ms.is_some(),
            tags: &wish.tags,
        }
    }

    /// Returns what people call it, without the seed; equal cells of a plan are one trial with
    /// several names.
    pub(super) fn cell(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for name in self.trial.labels.iter().map(Label::text) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() { "base".to_owned() } else { names.join(" = ") }
    }
}

/// Trials that differ only in the seed.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) cell: String,
    /// Places of its trials in the roster.
    pub(super) places: Vec<usize>,
}

/// A sweep's trials at one time.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    pub(super) sweep: SweepRow,
    /// By their numbers.
    pub(super) rows: Vec<Arc<Row>>,
    /// In the order of their first trials.
    pub(super) groups: Arc<Vec<Group>>,
    /// All seeds, rising.
    pub(super) seeds: Arc<Vec<u64>>,
    places: Arc<HashMap<TrainKey, usize>>,
    seen: Seen,
    wishes: HashMap<TrainKey, Wish>,
    stops: HashMap<TrainKey, EarlyStopRow>,
}

impl Roster {
    /// Reads all of a sweep.
    pub(super) async fn read(store: &Store, sweep: SweepRow) -> Result<Self, StoreError> {
        // What is seen first is never newer than what is read after it: nothing is missed later.
        let seen = store.seen().await?;
        let wishes = store.all_wishes().await?;
        let stops = stops(store, &sweep).await?;
        let trials = store.trials(&sweep).await?;
        let keys: Vec<TrainKey> = trials.iter().map(|trial| trial.train_key.clone()).collect();
        let mut finals = finals(store, &sweep, &keys).await?;
        let rows: Vec<Arc<Row>> = trials
            .into_iter()
            .map(|trial| {
                let finals = finals.remove(&trial.train_key).unwrap_or_default();
                let wish = wishes.get(&trial.train_key).cloned().unwrap_or_default();
                Arc::new(Row { trial, finals, wish, is_interrupted: false })
            })
            .collect();
        let places = keys.into_iter().zip(0..).collect();
        let (groups, seeds) = layout(&rows);
        Ok(Self {
            sweep,
            rows,
            groups: Arc::new(groups),
            seeds: Arc::new(seeds),
            places: Arc::new(places),
            seen,
            wishes,
            stops,
        })
    }

    /// Returns it as it is now; `sweep` is its row of now.
    pub(super) async fn refreshed(
        &self,
        store: &Store,
        sweep: SweepRow,
    ) -> Result<Self, StoreError> {
        let is_same = (sweep.id, sweep.revision) == (self.sweep.id, self.sweep.revision);
        if !is_same {
            return Self::read(store, sweep).await;
        }
        let (seen, touched) = store.since(&self.seen).await?;
        let wishes = store.all_wishes().await?;
        let stops = stops(store, &sweep).await?;
        let mut keys: HashSet<TrainKey> = touched.into_iter().collect();
        keys.extend(differing(&self.wishes, &wishes));
        keys.extend(differing(&self.stops, &stops));
        keys.retain(|key| self.places.contains_key(key));
        let keys: Vec<TrainKey> = keys.into_iter().collect();
        let mut now = Self { sweep, seen, wishes, stops, ..self.clone() };
        now.update(store, &keys).await?;
        Ok(now)
    }

    /// Reads these trials again.
    async fn update(&mut self, store: &Store, keys: &[TrainKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let policy = self.sweep.facts.early_stop.as_ref();
        let known = store.known_to(&self.sweep.name, policy, &self.sweep.eval_key, keys).await?;
        let mut finals = finals(store, &self.sweep, keys).await?;
        for (key, known) in known {
            let Some(place) = self.places.get(&key) else { continue };
            let row = Arc::make_mut(&mut self.rows[*place]);
            row.finals = finals.remove(&key).unwrap_or_default();
            row.wish = self.wishes.get(&key).cloned().unwrap_or_default();
            row.trial.state = known.state;
            row.trial.attempts = known.attempts;
            row.trial.verdict = known.verdict;
            row.trial.failure = known.failure;
            row.trial.early_stop = known.early_stop;
        }
        Ok(())
    }

    /// Returns it with these trials interrupted.
    pub(super) fn interrupted(&self, trials: &HashSet<TrainKey>) -> Self {
        let mut now = self.clone();
        for place in trials.iter().filter_map(|key| self.place(key)) {
            Arc::make_mut(&mut now.rows[place]).is_interrupted = true;
        }
        now
    }

    /// Returns the trials as filters see them.
    pub(super) fn subjects(&self) -> Vec<Subject<'_>> {
        subjects(self.rows.iter().map(|row| row.facts()))
    }

    /// Returns whether in both the same trials ended, and with the same results.
    pub(super) fn ended_like(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Arc<Row>, &Arc<Row>)| Arc::ptr_eq(a, b) || a.end() == b.end();
        self.is_planned_like(other) && std::iter::zip(&self.rows, &other.rows).all(alike)
    }

    /// Returns whether no attempt began or ended between the two, and the plan is the same.
    pub(super) fn is_as_far_as(&self, other: &Self) -> bool {
        self.seen == other.seen && self.is_planned_like(other)
    }

    fn is_planned_like(&self, other: &Self) -> bool {
        (self.sweep.id, self.sweep.revision) == (other.sweep.id, other.sweep.revision)
    }

    /// Returns the place of a trial.
    pub(super) fn place(&self, key: &TrainKey) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// Returns how many trials look so, for each look that any has.
    pub(super) fn counts(&self) -> Vec<(Look, usize)> {
        let mut counts: BTreeMap<Look, usize> = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(row.look()).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

/// Returns the trials in groups, and their seeds.
fn layout(rows: &[Arc<Row>]) -> (Vec<Group>, Vec<u64>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut at: HashMap<&GroupKey, usize> = HashMap::new();
    let mut seeds: Vec<u64> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let group = *at.entry(&row.trial.group_key).or_insert_with(|| {
            groups.push(Group { cell: row.cell(), places: Vec::new() });
            groups.len() - 1
        });
        groups[group].places.push(place);
        seeds.push(row.trial.run.seed);
    }
    for group in &mut groups {
        group.places.sort_by_key(|place| rows[*place].trial.run.seed);
    }
    seeds.sort_unstable();
    seeds.dedup();
    (groups, seeds)
}

async fn finals(
    store: &Store,
    sweep: &SweepRow,
    keys: &[TrainKey],
) -> Result<HashMap<TrainKey, BTreeMap<String, f64>>, StoreError> {
    let finals = store.finals(&sweep.eval_key, keys).await?;
    Ok(finals.into_iter().map(|finals| (finals.train_key, finals.values)).collect())
}

async fn stops(
    store: &Store,
    sweep: &SweepRow,
) -> Result<HashMap<TrainKey, EarlyStopRow>, StoreError> {
    match &sweep.facts.early_stop {
        Some(policy) => store.early_stops(&sweep.name, policy).await,
        None => Ok(HashMap::new()),
    }
}

/// Returns the keys whose values are not the same in both.
fn differing<V: PartialEq>(
    one: &HashMap<TrainKey, V>,
    other: &HashMap<TrainKey, V>,
) -> Vec<TrainKey> {
    let all: HashSet<&TrainKey> = one.keys().chain(other.keys()).collect();
    all.into_iter().filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DeviceId;
    use crate::outcome::{FailureReason, Outcome, Verdict};
    use crate::plan::{Limit, Plan, Request, expand};
    use crate::protocol::{EventLine, WorkerEvent};
    use crate::spec;
    use crate::store::rows::AttemptKind;
    use crate::store::{Edit, NewAttempt};

    const SWEEP: &str = r#"
schema = 1
name = "tiny"
[base]
method = "byol"
data.name = "shapes"
encoder.name = "convnet"
update_batch_size = 64
[grid]
batch_size = [64, 32]
[replicates]
seeds = [0, 1]
"#;

    fn plan(text: &str) -> Plan {
        let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
        expand(&spec::parse("tiny.toml", text).unwrap(), &request).unwrap()
    }

    /// A store, and a roster that is refreshed after every step.
    struct Bench {
        store: Store,
        plan: Plan,
        roster: Roster,
    }

    impl Bench {
        async fn new() -> Self {
            let store = Store::in_memory().await.unwrap();
            let plan = plan(SWEEP);
            store.sync_plan(&plan, 1).await.unwrap();
            let sweep = store.sweep("tiny").await.unwrap().unwrap();
            let roster = Roster::read(&store, sweep).await.unwrap();
            Self { store, plan, roster }
        }

        /// Refreshes the roster, which must then be what reading all of it gives.
        async fn follow(&mut self, step: &str) {
            let sweep = self.store.sweep("tiny").await.unwrap().unwrap();
            let whole = Roster::read(&self.store, sweep.clone()).await.unwrap();
            self.roster = self.roster.refreshed(&self.store, sweep).await.unwrap();
            assert_eq!(self.roster.rows, whole.rows, "{step}");
        }

        async fn begin(&self, place: usize) -> i64 {
            let attempt = NewAttempt {
                train_key: self.plan.trials[place].train_key.clone(),
                kind: AttemptKind::Train,
                eval_key: self.plan.eval_key.clone(),
                device: DeviceId::Cpu,
                threads: 1,
                started_ms: 1,
            };
            self.store.begin_attempt(attempt).await.unwrap().id
        }

        async fn end(&self, attempt: i64, outcome: Outcome) {
            self.store.end_attempt(attempt, &outcome, 9).await.unwrap();
        }

        async fn wish(&self, edit: impl Fn(Vec<TrainKey>) -> Edit) {
            let trials = vec![self.plan.trials[1].train_key.clone()];
            self.store.edit(&edit(trials), 5).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_roster_that_is_refreshed_is_the_one_that_is_read_anew() {
        let mut bench = Bench::new().await;
        let first = bench.begin(0).await;
        let second = bench.begin(1).await;
        bench.follow("two begin").await;
        assert_eq!(bench.roster.rows[1].look(), Look::Running);
        let detail = "a reason".to_owned();
        let outcome = Outcome::Failed { reason: FailureReason::Panicked, detail };
        bench.end(second, outcome).await;
        bench.follow("one fails").await;
        assert_eq!(bench.roster.rows[1].look(), Look::Failed);
        bench.wish(|trials| Edit::Pardon { trials }).await;
        bench.follow("it is forgiven").await;
        assert_eq!(bench.roster.rows[1].look(), Look::Stopped);
        bench.wish(|trials| Edit::Hold { trials }).await;
        bench.follow("it is held").await;
        assert_eq!(bench.roster.rows[1].look(), Look::Held);
        bench.wish(|trials| Edit::Release { trials }).await;
        let add = vec!["best".to_owned()];
        bench.wish(|trials| Edit::Tag { trials, add: add.clone(), remove: vec![] }).await;
        bench.follow("it is let go and gets a name").await;
        bench.wish(|trials| Edit::Tag { trials, add: vec![], remove: add.clone() }).await;
        bench.follow("it loses its name").await;
        let values = [("linear_top1".to_owned(), 0.5)].into();
        let event = WorkerEvent::Evaluated { values };
        let line = EventLine { seq: 1, at_ms: 1, event };
        bench.store.append(first, &[line], 10, 1).await.unwrap();
        bench.end(first, Outcome::Finished { verdict: Verdict::Healthy }).await;
        let third = bench.begin(2).await;
        bench.end(third, Outcome::Stopped).await;
        bench.follow("one is done, another came and went").await;
        assert_eq!(bench.roster.rows[0].finals["linear_top1"], 0.5);
        bench.follow("nothing happens").await;
        let more = plan(&SWEEP.replace("[0, 1]", "[0, 1, 2]"));
        bench.store.sync_plan(&more, 2).await.unwrap();
        bench.follow("the file changed").await;
        assert_eq!((bench.roster.rows.len(), bench.roster.seeds.as_slice()), (6, &[0, 1, 2][..]));
    }

    #[tokio::test]
    async fn what_ended_changes_with_the_end_of_a_trial_and_with_nothing_else() {
        let mut bench = Bench::new().await;
        let before = bench.roster.clone();
        let first = bench.begin(0).await;
        bench.wish(|trials| Edit::Hold { trials }).await;
        bench.follow("one begins, another is held").await;
        assert!(bench.roster.ended_like(&before) && !bench.roster.is_as_far_as(&before));
        bench.end(first, Outcome::Finished { verdict: Verdict::Healthy }).await;
        bench.follow("it ends").await;
        assert!(!bench.roster.ended_like(&before));
        let ended = bench.roster.clone();
        let add = vec!["best".to_owned()];
        bench.wish(|trials| Edit::Tag { trials, add: add.clone(), remove: vec![] }).await;
        bench.follow("another gets a name").await;
        assert!(bench.roster.ended_like(&ended) && bench.roster.is_as_far_as(&ended));
        bench.store.sync_plan(&plan(&SWEEP.replace("[0, 1]", "[0, 1, 2]")), 2).await.unwrap();
        bench.follow("the file changed").await;
        assert!(!bench.roster.ended_like(&ended) && !bench.roster.is_as_far_as(&ended));
    }

    #[tokio::test]
    async fn what_is_interrupted_is_marked_and_nothing_else() {
        let bench = Bench::new().await;
        let gone = [bench.plan.trials[3].train_key.clone()].into();
        let marked = bench.roster.interrupted(&gone);
        let marks: Vec<bool> = marked.rows.iter().map(|row| row.is_interrupted).collect();
        assert_eq!(marks, [false, false, false, true]);
        assert!(!bench.roster.rows[3].is_interrupted);
    }
}
