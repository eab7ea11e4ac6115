//! The figures of the live page, while trials end under them: a real server over a state folder that
//! a test fills.

use std::fs;
use std::io::{BufRead, BufReader};

use byol_sweep::ids::DeviceId;
use byol_sweep::outcome::{Outcome, Verdict};
use byol_sweep::plan::{Limit, Plan, Request, expand};
use byol_sweep::protocol::exhibit::{
    Classes, Exhibit, NeighbourLabels, Neighbours, Pictures, Points, Views,
};
use byol_sweep::protocol::{EventLine, WorkerEvent};
use byol_sweep::spec;
use byol_sweep::store::rows::{AttemptKind, AttemptRow};
use byol_sweep::store::{NewAttempt, Store};
use tokio::runtime::{Builder, Runtime};

use crate::serve::{SWEEP, Serving, agent};
use crate::terminal::Terminal;

/// A state folder whose trials end when a test says so.
pub(crate) struct Bench {
    pub(crate) terminal: Terminal,
    plan: Plan,
    store: Store,
    runtime: Runtime,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let terminal = Terminal::new();
        let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
        let plan = expand(&spec::parse("tiny.toml", SWEEP).unwrap(), &request).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(async {
            let store = Store::open(&terminal.path().join(".byol-sweep")).await.unwrap();
            store.sync_plan(&plan, 1).await.unwrap();
            store
        });
        Self { terminal, plan, store, runtime }
    }

    fn begin(&self, place: usize) -> AttemptRow {
        let attempt = NewAttempt {
            train_key: self.plan.trials[place].train_key.clone(),
            kind: AttemptKind::Train,
            eval_key: self.plan.eval_key.clone(),
            device: DeviceId::Cpu,
            threads: 1,
            started_ms: 1,
        };
        self.runtime.block_on(self.store.begin_attempt(attempt)).unwrap()
    }

    /// Has a trial finish and leave an exhibit.
    pub(crate) fn finish(&self, place: usize) -> AttemptRow {
        let row = self.begin(place);
        let bytes = exhibit(place as u8).to_bytes().unwrap();
        fs::create_dir_all(&row.folder).unwrap();
        fs::write(row.folder.join("exhibit.safetensors"), &bytes).unwrap();
        let values = [("linear_top1".to_owned(), 0.5 + 0.01 * place as f64)].into();
        let left = WorkerEvent::Artifact {
            artifact: "exhibit".into(),
            file: "exhibit.safetensors".into(),
            digest: blake3::hash(&bytes).to_hex().to_string(),
        };
        self.tell(&row, vec![WorkerEvent::Evaluated { values }, left]);
        let outcome = Outcome::Finished { verdict: Verdict::Healthy };
        self.runtime.block_on(self.store.end_attempt(row.id, &outcome, 9)).unwrap();
        row
    }

    fn tell(&self, row: &AttemptRow, events: Vec<WorkerEvent>) {
        let line = |(event, seq)| EventLine { seq, at_ms: 1, event };
        let lines: Vec<EventLine> = events.into_iter().zip(1..).map(line).collect();
        let read = lines.len() as u64;
        self.runtime.block_on(self.store.append(row.id, &lines, 100 * read, read)).unwrap();
    }
}

/// Returns small pictures, points and neighbours.
fn exhibit(variant: u8) -> Exhibit {
    let pictures = |count: usize| Pictures {
        side: 8,
        rgb: (0..8 * 8 * 3 * count).map(|at| (at as u8).wrapping_mul(7 + variant)).collect(),
    };
    let point = |at: usize| {
        let angle = at as f32 / 3.0 + f32::from(variant);
        [angle.sin(), angle.cos(), 0.0]
    };
    Exhibit {
        classes: Classes { names: vec!["round".into(), "square".into()], of: 2 },
        views: Views {
            numbers: (0..4).collect(),
            epoch: 0,
            originals: pictures(4),
            first: pictures(4),
            second: pictures(4),
        },
        points: Points {
            size: 3,
            features: (0..20).flat_map(point).collect(),
            labels: Some((0..20).map(|at| at % 2).collect()),
        },
        neighbours: Neighbours {
            among: 64,
            each: 5,
            queries: pictures(4),
            found: pictures(20),
            cosines: vec![0.9; 20],
            labels: Some(NeighbourLabels { queries: vec![0, 1, 0, 1], same_class: vec![true; 20] }),
        },
    }
}

const PAGE: &str = "/sweeps/tiny/figures";

/// What is drawn from exhibits.
const SHOWN: [&str; 3] = ["views", "embedding-map", "neighbours"];

/// Returns the edition that a page of figures is of.
fn edition(page: &str) -> String {
    let (_, rest) = page.split_once(".svg?v=").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn figures_show_what_finished_trials_left() {
    let bench = Bench::new();
    for place in 0..3 {
        bench.finish(place);
    }
    let serving = Serving::start(&bench.terminal, "");
    let page = serving.page(PAGE);
    for figure in SHOWN {
        assert!(page.contains(&format!("<figure class=\"chart\" id=\"{figure}\">")), "{page}");
        let svg = serving.page(&format!("{PAGE}/{figure}.svg"));
        assert_eq!(svg.contains("data:image/png"), figure != "embedding-map", "{figure}: {svg}");
    }
    let address = format!("{PAGE}/views.svg?v={}", edition(&page));
    let kept = serving.get(&address);
    assert!(kept.header("cache-control").contains("immutable"), "{:?}", kept.headers);
    let other = serving.get(&format!("{PAGE}/views.svg?v=0"));
    assert_eq!((other.header("cache-control"), &other.body), ("no-store", &kept.body));
}

#[test]
fn what_left_nothing_is_told() {
    let bench = Bench::new();
    let row = bench.finish(0);
    fs::write(row.folder.join("exhibit.safetensors"), "damaged").unwrap();
    let page = Serving::start(&bench.terminal, "").page(PAGE);
    assert!(page.contains("damaged exhibit.safetensors"), "{page}");
    assert!(!page.contains("id=\"views\""), "{page}");
}

#[test]
fn figures_are_drawn_anew_after_a_trial_ended_and_all_who_watch_are_told() {
    let bench = Bench::new();
    let left: Vec<AttemptRow> = (0..3).map(|place| bench.finish(place)).collect();
    let serving = Serving::start(&bench.terminal, "");
    let first = serving.page(PAGE);
    // What was read is not read again.
    for row in left {
        fs::remove_file(row.folder.join("exhibit.safetensors")).unwrap();
    }
    let mut watching = agent().get(format!("{}/events", serving.address)).call().unwrap();
    let mut lines = BufReader::new(watching.body_mut().as_reader()).lines();
    let mut next = || lines.find(|line| line.as_ref().unwrap().starts_with("event: change"));
    bench.finish(3);
    let mut page = serving.page(PAGE);
    while edition(&page) == edition(&first) {
        assert!(next().is_some(), "a drawing is told of");
        page = serving.page(PAGE);
    }
    assert!(first.contains("3 of 4 trials") || first.contains("3 trials"), "{first}");
    for figure in SHOWN {
        assert!(page.contains(&format!("id=\"{figure}\"")), "{figure}: {page}");
    }
    let picture =
        |edition: &str| serving.page(&format!("{PAGE}/accuracy-by-batch-size.svg?v={edition}"));
    assert!(picture(&edition(&page)).contains("<svg"));
}
