//! Which processes belong to an attempt. Pure: what the kernel tells is handed in.

use super::mark::Mark;
use crate::protocol::process::Stat;

/// What tells an attempt's processes from all others.
#[derive(Clone, Debug)]
pub(super) struct Kin {
    /// What everything that it starts carries, where the folder still tells.
    pub(super) mark: Option<Mark>,
    /// Whether its session can be told by number.
    pub(super) session: Session,
    /// Nothing that is older belongs to it.
    pub(super) since_ticks: u64,
}

/// What an attempt's session id means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// The worker is there, if only as a zombie that we hold: no other session can have this id.
    Held(u32),
    /// The worker is gone, and its number may be another's by now.
    Unknown,
}

impl Kin {
    /// Returns whether a process of that session belongs to the attempt. `environ` and `stat` are
    /// asked in this order, and only when they matter: they cost more than the session.
    pub(super) fn includes(
        &self,
        session: u32,
        environ: impl FnOnce(&Mark) -> bool,
        stat: impl FnOnce() -> Option<Stat>,
    ) -> bool {
        // Sessions of the kernel, and of other namespaces, are 0 here.
        session != 0
            && (self.session == Session::Held(session) || self.mark.as_ref().is_some_and(environ))
            && stat().is_some_and(|stat| !stat.is_dead() && stat.start_ticks >= self.since_ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(state: char, start_ticks: u64) -> Option<Stat> {
        Stat::parse(&format!("1 (x) {state} 1 1 1 {} {start_ticks} 0", "0 ".repeat(15)))
    }

    fn kin(session: Session) -> Kin {
        let mark = Mark::of(tempfile::tempdir().unwrap().path()).unwrap();
        Kin { mark: Some(mark), session, since_ticks: 100 }
    }

    fn carries(mark: &Mark) -> bool {
        mark.is_in(format!("A=b\0BYOL_SWEEP_ATTEMPT={}\0", mark.value()).as_bytes())
    }

    fn carries_none(mark: &Mark) -> bool {
        mark.is_in(b"")
    }

    #[test]
    fn the_session_tells_while_the_worker_is_there_and_the_mark_always() {
        let held = kin(Session::Held(7));
        assert!(held.includes(7, carries_none, || stat('S', 100)), "cleared its environment");
        assert!(held.includes(8, carries, || stat('S', 100)), "left the session");
        let unknown = kin(Session::Unknown);
        assert!(!unknown.includes(7, carries_none, || stat('S', 100)), "may be another's");
        assert!(unknown.includes(7, carries, || stat('S', 100)));
    }

    #[test]
    fn the_dead_the_older_and_the_kernels_are_left_alone() {
        let held = kin(Session::Held(7));
        assert!(!held.includes(7, carries, || stat('Z', 100)));
        assert!(!held.includes(7, carries, || stat('S', 99)));
        assert!(!held.includes(7, carries, || None));
        assert!(!kin(Session::Held(0)).includes(0, carries, || stat('S', 100)));
    }

    #[test]
    fn what_costs_is_not_asked_in_vain() {
        let held = kin(Session::Held(7));
        assert!(!held.includes(8, carries_none, || panic!("a stranger is looked at")));
        assert!(held.includes(7, |_| panic!("an environment is read"), || stat('S', 100)));
    }
}
