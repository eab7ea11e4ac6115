//! Whether a resume can end with the numbers of a run that was never interrupted: the worker that
//! wrote the checkpoint against the one that goes on. Knows nothing of what is in a checkpoint.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::protocol::folder::AttemptFolder;
use crate::protocol::{EventLine, INEXACT_RESUME, Started, WorkDevice};
use crate::spec::sweep::Kernels;

/// Returns what a reader of the log should know of a resume from `checkpoint` that is not bit for
/// bit; `None` where it is.
pub fn note(checkpoint: &Path, now: &Started, on: WorkDevice) -> Option<String> {
    let folder = AttemptFolder::at(checkpoint.parent().unwrap_or(Path::new(".")));
    let reasons = match writer(&folder) {
        Some(before) => differences(&before, now, on),
        None => vec!["it is not known what wrote the checkpoint".to_owned()],
    };
    (!reasons.is_empty()).then(|| format!("{INEXACT_RESUME}{}", reasons.join("; ")))
}

/// Returns the first words of the worker whose attempt folder this is.
fn writer(folder: &AttemptFolder) -> Option<Started> {
    let mut line = String::new();
    BufReader::new(File::open(folder.events()).ok()?).read_line(&mut line).ok()?;
    serde_json::from_str::<EventLine>(&line).ok()?.event.into_started()
}

fn differences(before: &Started, now: &Started, on: WorkDevice) -> Vec<String> {
    let threads = [before, now].map(|started| started.threads.to_string());
    let facts = [
        ("device", &before.device, &now.device),
        ("worker version", &before.version, &now.version),
        ("libtorch", &before.libtorch, &now.libtorch),
        ("threads", &threads[0], &threads[1]),
    ];
    let differ = facts.into_iter().filter(|(_, before, now)| before != now);
    let mut reasons: Vec<String> =
        differ.map(|(what, before, now)| format!("{what} was {before} and is {now}")).collect();
    reasons.extend(binary(before.binary.as_deref(), now.binary.as_deref()));
    match (on, before.kernels, now.kernels) {
        (WorkDevice::Cpu, _, _)
        | (WorkDevice::Cuda, Kernels::Deterministic, Kernels::Deterministic) => {}
        (WorkDevice::Cuda, _, _) => reasons.push(
            "CUDA kernels may add in another order (`resources.deterministic = true` forbids it)"
                .to_owned(),
        ),
    }
    reasons
}

/// Compares the bytes of both workers: a version does not tell builds of it apart.
fn binary(before: Option<&str>, now: Option<&str>) -> Option<String> {
    const SHOWN: usize = 8;
    match (before, now) {
        (Some(before), Some(now)) if before == now => None,
        (Some(before), Some(now)) => {
            let [before, now] = [before, now].map(|digest| digest.get(..SHOWN).unwrap_or(digest));
            Some(format!("worker binary was {before} and is {now}"))
        }
        (None, _) | (_, None) => {
            Some("it is not known whether the worker binary is the same".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::WorkerEvent;

    fn started(device: &str, threads: u32) -> Started {
        Started {
            host: "a".into(),
            pid: 1,
            start_ticks: 1,
            boot_id: "b".into(),
            pid_namespace: None,
            version: "1".into(),
            binary: Some("aaaaaaaaaa".into()),
            libtorch: "2".into(),
            device: device.into(),
            threads,
            kernels: Kernels::Fastest,
            resumed: false,
        }
    }

    #[test]
    fn a_resume_on_the_same_device_and_threads_is_exact() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = AttemptFolder::at(folder.path()).checkpoint();
        let unknown = note(&checkpoint, &started("x", 2), WorkDevice::Cpu).unwrap();
        assert!(unknown.contains("not known"), "{unknown}");

        let first = EventLine { seq: 1, at_ms: 0, event: WorkerEvent::Started(started("x", 2)) };
        let line = serde_json::to_string(&first).unwrap() + "\n";
        std::fs::write(AttemptFolder::at(folder.path()).events(), line).unwrap();
        assert_eq!(note(&checkpoint, &started("x", 2), WorkDevice::Cpu), None);
        assert_eq!(
            note(&checkpoint, &started("y", 4), WorkDevice::Cpu).unwrap(),
            "inexact resume: device was x and is y; threads was 2 and is 4"
        );
        let cuda = note(&checkpoint, &started("x", 2), WorkDevice::Cuda).unwrap();
        assert!(cuda.contains("CUDA kernels"), "{cuda}");
    }

    #[test]
    fn another_build_of_the_same_version_is_not_exact() {
        let said = |before: Option<&str>, now: Option<&str>| {
            let of = |digest: Option<&str>| Started {
                binary: digest.map(str::to_owned),
                ..started("x", 2)
            };
            differences(&of(before), &of(now), WorkDevice::Cpu).join("; ")
        };
        assert_eq!(said(Some("aaaaaaaaaa"), Some("aaaaaaaaaa")), "");
        let other = said(Some("aaaaaaaaaa"), Some("bbbbbbbbbb"));
        assert_eq!(other, "worker binary was aaaaaaaa and is bbbbbbbb");
        for (before, now) in [(None, Some("a")), (Some("a"), None), (None, None)] {
            let unknown = "it is not known whether the worker binary is the same";
            assert_eq!(said(before, now), unknown);
        }
    }

    /// As workers of earlier versions wrote it.
    #[test]
    fn first_words_without_a_binary_are_read_and_are_not_exact() {
        let line = r#"{"seq":1,"at_ms":0,"event":{"kind":"started","host":"a","pid":1,"start_ticks":1,"boot_id":"b","version":"1","libtorch":"2","device":"x","threads":2,"resumed":false}}"#;
        let folder = tempfile::tempdir().unwrap();
        let folder = AttemptFolder::at(folder.path());
        std::fs::write(folder.events(), line.to_owned() + "\n").unwrap();
        let said = note(&folder.checkpoint(), &started("x", 2), WorkDevice::Cpu);
        let unknown = "inexact resume: it is not known whether the worker binary is the same";
        assert_eq!(said.as_deref(), Some(unknown));
    }
}
