//! Which GPUs attempts may start on, and how many there: decided from what the driver tells and
//! what runs. Pure: snapshots, leases and the time are handed in.
//!
//! Strangers are respected, a device is empty before it is lent again, and a further attempt joins
//! the first only when what attempts take is measured and there is room for it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::ids::DeviceId;

/// Left free beside what attempts are known to take: libraries grow.
const RESERVE: u64 = 512 << 20;

/// How long a driver may take to free a device before people hear of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A GPU as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuView {
    /// What the driver calls this very card, or part of a card.
    pub uuid: String,
    /// Memory in bytes.
    pub total_bytes: u64,
    /// Of these, in use by anybody.
    pub used_bytes: u64,
    /// Processes that compute there.
    pub tenants: Vec<Tenant>,
}

/// A process that computes on a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its number, as the driver counts.
    pub pid: u32,
    /// Memory that it takes there, where the driver tells.
    pub bytes: Option<u64>,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose process it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of a live attempt, by its place among those asked about.
    Attempt(usize),
    /// Somebody else's.
    Stranger {
        /// Who, where that can be told.
        user: Option<String>,
    },
    /// That cannot be told: the process is just going, or the driver counts processes otherwise
    /// than this container does.
    Unknown,
}

/// An attempt that is alive on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease<'a> {
    /// Where.
    pub device: &'a DeviceId,
    /// Whether it has told how much memory it took at most.
    pub measured: Measured,
}

/// Whether an attempt has told how much memory it took at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// It has.
    Yes,
    /// Not yet.
    No,
}

/// What strangers on a device mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// Nothing starts beside them.
    #[default]
    Respected,
    /// They are told of: somebody named the device.
    Noted,
}

/// Why nothing starts on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody else computes there.
    Stranger {
        /// Process.
        pid: u32,
        /// Whose, where known.
        user: Option<String>,
    },
    /// More processes compute there than attempts.
    Crowd {
        /// How many more.
        more: usize,
    },
    /// What an ended attempt held is not free yet.
    NotEmpty {
        /// Its process.
        pid: u32,
    },
    /// The driver tells nothing of it.
    Silent,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger { pid, user: Some(user) } => {
                write!(f, "process {pid} of {user} computes there")
            }
            Self::Stranger { pid, user: None } => write!(f, "process {pid} computes there"),
            Self::Crowd { more: 1 } => f.write_str("somebody else's process computes there"),
            Self::Crowd { more } => write!(f, "{more} processes of others compute there"),
            Self::NotEmpty { pid } => {
                write!(f, "process {pid} of an attempt that ended still holds memory there")
            }
            Self::Silent => f.write_str("the driver tells nothing of it"),
        }
    }
}

/// What people should hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing starts there for now.
    Busy(DeviceId, Reason),
    /// Attempts start there although somebody else computes there.
    Shared(DeviceId, Reason),
    /// Attempts start there again.
    Free(DeviceId),
}

/// What a look led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Of each device, how many attempts may be there at a time; none start while it is 0.
    pub rooms: Vec<(DeviceId, u32)>,
    /// What changed.
    pub news: Vec<News>,
}

/// The GPUs of a run.
#[derive(Debug)]
pub struct Watch {
    devices: Vec<Watched>,
    strangers: Strangers,
}

#[derive(Debug)]
struct Watched {
    device: DeviceId,
    slots: u32,
    /// Processes of attempts that were seen there.
    ours: BTreeSet<u32>,
    /// Since when something is there that may be an ended attempt's.
    waits_since: Option<Duration>,
    told: Option<Reason>,
}

impl Watch {
    /// Watches the GPUs among these devices, each with its number of slots.
    pub fn new(devices: impl IntoIterator<Item = (DeviceId, u32)>, strangers: Strangers) -> Self {
        let watched = |(device, slots)| Watched {
            device,
            slots,
            ours: BTreeSet::new(),
            waits_since: None,
            told: None,
        };
        let is_gpu = |device: &DeviceId| match device {
            DeviceId::Cpu => false,
            DeviceId::Cuda { .. } => true,
        };
        let gpus = devices.into_iter().filter(|(device, _)| is_gpu(device));
        Self { devices: gpus.map(watched).collect(), strangers }
    }

    /// Returns whether there is nothing to watch.
    pub fn is_idle(&self) -> bool {
        self.devices.is_empty()
    }

    /// Returns whether more than one attempt may ever share a GPU.
    pub fn shares(&self) -> bool {
        self.devices.iter().any(|watched| watched.slots > 1)
    }

    /// Returns whether a device waits to be empty, so that it is worth looking again soon.
    pub fn waits(&self) -> bool {
        self.devices.iter().any(|watched| watched.waits_since.is_some())
    }

    /// Decides anew. `need` is the memory that any further attempt may take, where that is known.
    pub fn look(
        &mut self,
        now: Duration,
        views: &[GpuView],
        leases: &[Lease<'_>],
        need: Option<u64>,
    ) -> Sight {
        let mut sight = Sight::default();
        for watched in &mut self.devices {
            let DeviceId::Cuda { uuid, .. } = &watched.device else { continue };
            let view = views.iter().find(|view| view.uuid == *uuid);
            let here: Vec<Lease<'_>> =
                leases.iter().filter(|lease| *lease.device == watched.device).copied().collect();
            let reason = match view {
                Some(view) => watched.reason(view, here.len()),
                None => Some(Reason::Silent),
            };
            let room = match (&reason, self.strangers, view) {
                (
                    Some(Reason::Stranger { .. } | Reason::Crowd { .. }),
                    Strangers::Noted,
                    Some(view),
                )
                | (None, _, Some(view)) => room(view, &here, watched.slots, need),
                (Some(_), _, _) | (None, _, None) => 0,
            };
            sight.rooms.push((watched.device.clone(), room));
            sight.news.extend(watched.news(reason, room, now));
        }
        sight
    }
}

impl Watched {
    /// Returns what stands against an attempt there, if anything.
    fn reason(&mut self, view: &GpuView, leases: usize) -> Option<Reason> {
        let ours = view.tenants.iter().filter_map(|tenant| match tenant.whose {
            Whose::Attempt(_) => Some(tenant.pid),
            Whose::Stranger { .. } | Whose::Unknown => None,
        });
        self.ours.extend(ours);
        // Numbers that are gone may be used again by others.
        self.ours.retain(|pid| view.tenants.iter().any(|tenant| tenant.pid == *pid));
        let more = view.tenants.len().saturating_sub(leases);
        view.tenants.iter().find_map(|tenant| match &tenant.whose {
            Whose::Attempt(_) => None,
            Whose::Stranger { .. } if self.ours.contains(&tenant.pid) => {
                Some(Reason::NotEmpty { pid: tenant.pid })
            }
            Whose::Stranger { user } => {
                Some(Reason::Stranger { pid: tenant.pid, user: user.clone() })
            }
            Whose::Unknown => (more > 0).then_some(Reason::Crowd { more }),
        })
    }

    /// Returns what people should hear, once each time that it changes.
    fn news(&mut self, reason: Option<Reason>, room: u32, now: Duration) -> Option<News> {
        let soon = match reason {
            Some(Reason::NotEmpty { .. } | Reason::Crowd { .. }) => {
                now.saturating_sub(*self.waits_since.get_or_insert(now)) < PATIENCE
            }
            Some(Reason::Stranger { .. } | Reason::Silent) | None => {
                self.waits_since = None;
                false
            }
        };
        if soon || reason == self.told {
            return None;
        }
        self.told.clone_from(&reason);
        Some(match reason {
            None => News::Free(self.device.clone()),
            Some(reason) if room > 0 => News::Shared(self.device.clone(), reason),
            Some(reason) => News::Busy(self.device.clone(), reason),
        })
    }
}

/// Returns how many attempts may be on a device that nothing stands against: one, and a further
/// one once all that are there are measured and what is free holds `need`.
fn room(view: &GpuView, here: &[Lease<'_>], slots: u32, need: Option<u64>) -> u32 {
    let count = u32::try_from(here.len()).unwrap_or(u32::MAX);
    let free = view.total_bytes.saturating_sub(view.used_bytes);
    let all_measured = here.iter().all(|lease| lease.measured == Measured::Yes);
    let fits = need.is_some_and(|need| free >= need.saturating_add(RESERVE));
    let wanted = if all_measured && fits { count.saturating_add(1) } else { count };
    wanted.clamp(1, slots.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn gpu(index: u32) -> DeviceId {
        DeviceId::Cuda { index, uuid: format!("GPU-{index}") }
    }

    fn view(index: u32, used_gib: u64, tenants: &[(u32, Whose)]) -> GpuView {
        let tenant = |(pid, whose): &(u32, Whose)| Tenant {
            pid: *pid,
            bytes: Some(GIB),
            whose: whose.clone(),
        };
        GpuView {
            uuid: format!("GPU-{index}"),
            total_bytes: 16 * GIB,
            used_bytes: used_gib * GIB,
            tenants: tenants.iter().map(tenant).collect(),
        }
    }

    fn stranger(user: &str) -> Whose {
        Whose::Stranger { user: Some(user.to_owned()) }
    }

    fn watch(slots: u32, strangers: Strangers) -> Watch {
        Watch::new([(DeviceId::Cpu, 4), (gpu(0), slots)], strangers)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lease(device: &DeviceId, measured: Measured) -> Lease<'_> {
        Lease { device, measured }
    }

    #[test]
    fn nothing_starts_beside_a_stranger_and_it_is_said_once() {
        let mut watch = watch(1, Strangers::Respected);
        let busy = view(0, 1, &[(7, stranger("ada"))]);
        let sight = watch.look(at(0), std::slice::from_ref(&busy), &[], None);
        assert_eq!(sight.rooms, [(gpu(0), 0)]);
        let reason = Reason::Stranger { pid: 7, user: Some("ada".into()) };
        assert_eq!(reason.to_string(), "process 7 of ada computes there");
        assert_eq!(sight.news, [News::Busy(gpu(0), reason)]);
        assert_eq!(watch.look(at(1), &[busy], &[], None).news, []);
        let sight = watch.look(at(2), &[view(0, 0, &[])], &[], None);
        assert_eq!((sight.rooms, sight.news), (vec![(gpu(0), 1)], vec![News::Free(gpu(0))]));
    }

    #[test]
    fn a_device_that_was_named_is_shared_and_that_is_said() {
        let mut watch = watch(1, Strangers::Noted);
        let sight = watch.look(at(0), &[view(0, 1, &[(7, stranger("ada"))])], &[], None);
        assert_eq!(sight.rooms, [(gpu(0), 1)]);
        assert!(matches!(&sight.news[..], [News::Shared(_, Reason::Stranger { .. })]));
    }

    #[test]
    fn a_device_is_empty_before_it_is_lent_again() {
        for strangers in [Strangers::Respected, Strangers::Noted] {
            let mut watch = watch(1, strangers);
            let device = gpu(0);
            let live = [lease(&device, Measured::No)];
            let sight = watch.look(at(0), &[view(0, 4, &[(7, Whose::Attempt(0))])], &live, None);
            assert_eq!(sight, Sight { rooms: vec![(gpu(0), 1)], news: vec![] });
            // The attempt is over; the driver has not noticed.
            let held = view(0, 4, &[(7, Whose::Stranger { user: None })]);
            let look = |watch: &mut Watch, seconds| {
                watch.look(at(seconds), std::slice::from_ref(&held), &[], None)
            };
            assert_eq!(look(&mut watch, 1), Sight { rooms: vec![(gpu(0), 0)], news: vec![] });
            assert!(watch.waits());
            assert_eq!(look(&mut watch, 5).news, []);
            let told = look(&mut watch, 6).news;
            assert_eq!(told, [News::Busy(gpu(0), Reason::NotEmpty { pid: 7 })]);
            let sight = watch.look(at(7), &[view(0, 0, &[])], &[], None);
            assert_eq!((sight.rooms, sight.news), (vec![(gpu(0), 1)], vec![News::Free(gpu(0))]));
            assert!(!watch.waits());
        }
    }

    #[test]
    fn a_number_that_was_ours_and_is_anothers_is_a_stranger() {
        let mut watch = watch(1, Strangers::Respected);
        watch.look(at(0), &[view(0, 4, &[(7, Whose::Attempt(0))])], &[], None);
        watch.look(at(1), &[view(0, 0, &[])], &[], None);
        let sight = watch.look(at(2), &[view(0, 1, &[(7, stranger("ada"))])], &[], None);
        assert!(matches!(&sight.news[..], [News::Busy(_, Reason::Stranger { .. })]));
    }

    #[test]
    fn where_processes_have_no_names_they_are_counted() {
        let mut watch = watch(1, Strangers::Respected);
        let device = gpu(0);
        let live = [lease(&device, Measured::No)];
        let own = view(0, 4, &[(1, Whose::Unknown)]);
        assert_eq!(watch.look(at(0), &[own], &live, None).rooms, [(gpu(0), 1)]);
        let both = view(0, 4, &[(1, Whose::Unknown), (2, Whose::Unknown)]);
        let sight = watch.look(at(1), std::slice::from_ref(&both), &live, None);
        assert_eq!(sight, Sight { rooms: vec![(gpu(0), 0)], news: vec![] }, "it may be ours");
        let sight = watch.look(at(6), &[both], &live, None);
        assert_eq!(sight.news, [News::Busy(gpu(0), Reason::Crowd { more: 1 })]);
    }

    #[test]
    fn a_device_that_the_driver_lost_is_busy() {
        let sight = watch(1, Strangers::Noted).look(at(0), &[], &[], None);
        assert_eq!(sight.rooms, [(gpu(0), 0)]);
        assert_eq!(sight.news, [News::Busy(gpu(0), Reason::Silent)]);
    }

    #[test]
    fn a_further_attempt_waits_until_what_it_takes_is_known_and_free() {
        let device = gpu(0);
        let with = |measured: &[Measured], used_gib, need_gib: Option<u64>, slots| {
            let leases: Vec<_> =
                measured.iter().map(|&measured| lease(&device, measured)).collect();
            let tenants: Vec<_> =
                (0..leases.len()).map(|n| (n as u32, Whose::Attempt(n))).collect();
            let view = view(0, used_gib, &tenants);
            let need = need_gib.map(|gib| gib * GIB);
            watch(slots, Strangers::Respected).look(at(0), &[view], &leases, need).rooms[0].1
        };
        use Measured::{No, Yes};
        assert_eq!(with(&[], 0, None, 3), 1, "the first needs no measure");
        assert_eq!(with(&[], 0, Some(2), 3), 1, "they start one by one");
        assert_eq!(with(&[No], 4, None, 3), 1);
        assert_eq!(with(&[No], 4, Some(4), 3), 1);
        assert_eq!(with(&[Yes], 4, Some(4), 3), 2);
        assert_eq!(with(&[Yes, No], 8, Some(4), 3), 2);
        assert_eq!(with(&[Yes, Yes], 8, Some(4), 3), 3);
        assert_eq!(with(&[Yes, Yes], 8, Some(8), 3), 2, "nothing would be left in reserve");
        assert_eq!(with(&[Yes, Yes, Yes], 9, Some(1), 3), 3, "no more than the sweep allows");
        assert_eq!(with(&[Yes], 4, Some(1), 1), 1);
    }

    #[test]
    fn processors_are_not_watched() {
        let mut watch = Watch::new([(DeviceId::Cpu, 4)], Strangers::Respected);
        assert!(watch.is_idle());
        assert_eq!(watch.look(at(0), &[], &[], None), Sight::default());
    }
}
