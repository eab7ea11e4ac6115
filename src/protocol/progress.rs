//! Where a live attempt is, from the last words of its event file: the store keeps no progress.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::folder::AttemptFolder;
use super::{EventLine, Progress, WorkerEvent};

/// Bytes that are looked through.
const TAKEN: u64 = 32 << 10;

/// Returns the last progress that the attempt told; `None` where it told none lately, since this is
/// a courtesy only.
pub fn last_of(attempt: &AttemptFolder) -> Option<Progress> {
    let mut file = File::open(attempt.events()).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAKEN))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAKEN).read_to_end(&mut bytes).ok()?;
    last(&String::from_utf8_lossy(&bytes))
}

fn last(text: &str) -> Option<Progress> {
    text.lines().rev().find_map(|line| match serde_json::from_str::<EventLine>(line).ok()?.event {
        WorkerEvent::Progress(progress) => Some(progress),
        WorkerEvent::Started(_)
        | WorkerEvent::Metrics { .. }
        | WorkerEvent::Evaluated { .. }
        | WorkerEvent::Checkpointed { .. }
        | WorkerEvent::Artifact { .. }
        | WorkerEvent::Note { .. }
        | WorkerEvent::Ended { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_progress_counts() {
        let line = |seq: u64, epoch: u32| {
            format!(
                "{{\"seq\":{seq},\"at_ms\":1,\"event\":{{\"kind\":\"progress\",\"stage\":\"train\",\"update\":30,\
                 \"updates\":120,\"epoch\":{epoch},\"epochs\":4,\"loss\":1.0,\"images_per_s\":3120.4}}}}\n"
            )
        };
        let note = "{\"seq\":3,\"at_ms\":1,\"event\":{\"kind\":\"note\",\"text\":\"x\"}}\n";
        let whole = line(1, 1) + &line(2, 2) + note;
        let told = last(&format!("cut off\"}}\n{whole}{}", &line(4, 3)[..40])).unwrap();
        assert_eq!(told.epoch, 2);
        assert_eq!(last(note), None);
    }
}
