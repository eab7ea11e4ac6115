//! Whose processes a driver tells of. Knows nothing of what follows.

use std::os::unix::fs::MetadataExt;

use nix::unistd::{Uid, User};

use super::kin::{Kin, Session};
use super::mark::Mark;
use super::nvml::GpuNow;
use super::watch::{GpuView, Tenant, Whose};
use super::{Resident, remains};
use crate::protocol::process::Here;

/// Tells of each process on the GPUs whether it is a live attempt's.
pub(super) fn attribute(gpus: Vec<GpuNow>, live: &[Resident<'_>], here: &Here) -> Vec<GpuView> {
    // Where nothing computes nobody is asked for.
    let kin: Vec<Kin> = if gpus.iter().all(|gpu| gpu.processes.is_empty()) {
        Vec::new()
    } else {
        live.iter().map(|resident| kin(resident, here)).collect()
    };
    let tenant = |(pid, bytes)| {
        let whose = if here.counts_like_the_kernel() { whose(pid, &kin) } else { Whose::Unknown };
        Tenant { pid, bytes, whose }
    };
    gpus.into_iter()
        .map(|gpu| GpuView {
            uuid: gpu.uuid,
            total_bytes: gpu.total_bytes,
            used_bytes: gpu.used_bytes,
            tenants: gpu.processes.into_iter().map(tenant).collect(),
        })
        .collect()
}

fn kin(resident: &Resident<'_>, here: &Here) -> Kin {
    let session = match here.has(resident.handle) {
        Ok(true) => Session::Held(resident.handle.pid),
        Ok(false) | Err(_) => Session::Unknown,
    };
    let since_ticks = resident.handle.start_ticks;
    Kin { mark: Mark::of(resident.folder).ok(), session, since_ticks }
}

fn whose(pid: u32, kin: &[Kin]) -> Whose {
    if let Some(place) = kin.iter().position(|kin| remains::is_kin(pid, kin)) {
        return Whose::Attempt(place);
    }
    match std::fs::metadata(format!("/proc/{pid}")) {
        Ok(process) => {
            let user = User::from_uid(Uid::from_raw(process.uid())).ok().flatten();
            Whose::Stranger { user: user.map(|user| user.name) }
        }
        Err(_) => Whose::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::session;

    fn views(pids: &[u32], live: &[Resident<'_>], here: &Here) -> Vec<Whose> {
        let gpu = GpuNow {
            uuid: "GPU-0".into(),
            total_bytes: 2,
            used_bytes: 1,
            processes: pids.iter().map(|&pid| (pid, None)).collect(),
        };
        let views = attribute(vec![gpu], live, here);
        views[0].tenants.iter().map(|tenant| tenant.whose.clone()).collect()
    }

    #[test]
    fn an_attempts_processes_are_told_from_others() {
        let here = Here::look().unwrap();
        if !here.counts_like_the_kernel() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::of(folder.path()).unwrap();
        let mut sleep = std::process::Command::new("sleep");
        sleep.arg("1000").env(super::super::mark::VARIABLE, mark.value());
        // As every worker does; what leads no session may be in the one that is 0 (kin.rs).
        session::lead(&mut sleep);
        let mut child = sleep.spawn().unwrap();
        // The parent goes on before the child has memory of its own: until then the child shows the
        // parent's arguments and environment.
        let of_child = |file: &str| std::fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
        while !of_child("cmdline").starts_with(b"sleep\0") || of_child("environ").is_empty() {
            std::thread::yield_now();
        }
        let handle = here.identify(child.id()).unwrap();
        let live = [Resident { handle: &handle, folder: folder.path() }];
        let found = views(&[child.id(), std::process::id(), u32::MAX / 4], &live, &here);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found[0], Whose::Attempt(0));
        assert!(matches!(&found[1], Whose::Stranger { .. }), "{found:?}");
        assert_eq!(found[2], Whose::Unknown, "there is no such process");
    }
}
