//! Watching the GPUs of a run: strangers, what ended attempts left, and room for a further attempt.
//! Decides nothing itself: that is [`crate::exec::watch`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::agenda::RunJob;
use super::error::DriveError;
use super::event::RunEvent;
use super::live::LiveAttempt;
use super::run::Run;
use crate::exec::appetite::Appetite;
use crate::exec::watch::{GpuView, Lease, Measured, News, Strangers, Watch, Whose};
use crate::exec::{Executor, Resident};
use crate::ids::{DeviceId, Slot};
use crate::plan::memory;
use crate::schedule::{Input, JobNo, Millis};

/// Time between two looks;
const PAUSE: Millis = Millis(1000);
/// while a device waits to be empty.
const SHORT_PAUSE: Millis = Millis(200);

/// The metric with which a worker tells how much its tensors took at most.
const PEAK: &str = "peak_device_bytes";

/// What is known of the GPUs of a run.
#[derive(Debug)]
pub(super) struct GpuWatch {
    watch: Watch,
    appetite: Appetite,
    /// Live attempts that have told their peak.
    measured: BTreeSet<JobNo>,
    /// What the scheduler was told last.
    rooms: Vec<(DeviceId, u32)>,
    /// When to look next.
    next: Millis,
}

/// When to look at the GPUs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// If it is time.
    WhenDue,
    /// At once: something ended there.
    Now,
}

impl GpuWatch {
    pub(super) fn of(slots: &[Slot], jobs: &[RunJob<'_>], strangers: Strangers) -> Self {
        let mut devices: BTreeMap<DeviceId, u32> = BTreeMap::new();
        for slot in slots {
            *devices.entry(slot.device.clone()).or_default() += 1;
        }
        let watch = Watch::new(devices, strangers);
        // Nobody asks for it where attempts have a GPU of their own.
        let jobs = if watch.shares() { jobs } else { &[] };
        Self {
            watch,
            appetite: Appetite::of(jobs.iter().filter_map(class)),
            measured: BTreeSet::new(),
            rooms: Vec::new(),
            next: Millis(0),
        }
    }

    /// Takes what the driver says of attempts that have told their peak.
    fn note(&mut self, views: &[GpuView], live: &[JobNo], jobs: &[RunJob<'_>]) {
        for tenant in views.iter().flat_map(|view| &view.tenants) {
            let Whose::Attempt(place) = tenant.whose else { continue };
            let Some(job) = live.get(place).filter(|job| self.measured.contains(job)) else {
                continue;
            };
            if let (Some(class), Some(bytes)) = (class(&jobs[job.0]), tenant.bytes) {
                self.appetite.process(class, bytes);
            }
        }
    }
}

/// Attempts with the same estimate are taken to need the same.
fn class(job: &RunJob<'_>) -> Option<u64> {
    job.trial().map(|trial| memory::estimate(&trial.run))
}

fn on_gpu(attempt: &LiveAttempt) -> bool {
    match attempt.row.device {
        DeviceId::Cpu => false,
        DeviceId::Cuda { .. } => true,
    }
}

fn resident(attempt: &LiveAttempt) -> Resident<'_> {
    Resident { handle: &attempt.handle, folder: &attempt.row.folder }
}

fn lease<'a>(attempt: &'a LiveAttempt, measured: Option<&JobNo>) -> Lease<'a> {
    let measured = if measured.is_some() { Measured::Yes } else { Measured::No };
    Lease { device: &attempt.row.device, measured }
}

impl<E: Executor> Run<'_, E> {
    /// Looks at the GPUs, and tells the scheduler where there is room for how many attempts. Costs
    /// nothing where there are none.
    pub(super) async fn watch_gpus(&mut self, look: Look) -> Result<(), DriveError> {
        let now = self.clock.now();
        if self.gpus.watch.is_idle() || (look == Look::WhenDue && now < self.gpus.next) {
            return Ok(());
        }
        let (jobs, live): (Vec<JobNo>, Vec<&LiveAttempt>) =
            self.live.iter().filter(|(_, attempt)| on_gpu(attempt)).unzip();
        let residents: Vec<Resident<'_>> = live.iter().map(|attempt| resident(attempt)).collect();
        let Some(views) = self.executor.gpus(&residents).await else { return Ok(()) };

        self.gpus.measured.retain(|job| jobs.contains(job));
        self.gpus.note(&views, &jobs, &self.jobs);
        let known = &self.gpus.measured;
        let leases: Vec<Lease<'_>> =
            jobs.iter().zip(&live).map(|(job, attempt)| lease(attempt, known.get(job))).collect();
        let need = self.gpus.appetite.most();
        let sight = self.gpus.watch.look(Duration::from_millis(now.0), &views, &leases, need);
        self.gpus.next = now.plus(if self.gpus.watch.waits() { SHORT_PAUSE } else { PAUSE });
        for news in sight.news {
            self.tell(event(news));
        }
        if sight.rooms == self.gpus.rooms {
            return Ok(());
        }
        self.gpus.rooms.clone_from(&sight.rooms);
        self.give(Input::Rooms(sight.rooms)).await
    }

    /// Takes what a worker tells of its memory.
    pub(super) fn note_memory(&mut self, job: JobNo, metrics: &BTreeMap<String, f64>) {
        if let (Some(&bytes), Some(class)) = (metrics.get(PEAK), class(&self.jobs[job.0])) {
            self.gpus.measured.insert(job);
            self.gpus.appetite.tensors(class, bytes.max(0.0) as u64);
        }
    }
}

fn event(news: News) -> RunEvent {
    match news {
        News::Busy(device, why) => RunEvent::DeviceBusy { device, why: why.to_string() },
        News::Shared(device, why) => RunEvent::DeviceShared { device, why: why.to_string() },
        News::Free(device) => RunEvent::DeviceFree { device },
    }
}
