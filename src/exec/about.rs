//! Asking a worker what it is, before any attempt depends on it. Workers that know no such question
//! may do anything at all with it: they get a time, and a folder where nothing is in their way.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::provenance::About;

/// The question.
pub const ABOUT: &str = "--about";

/// How long to wait for the answer.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer that is read, in bytes.
const LONGEST: u64 = 16 << 10;

/// Returns what the worker says of itself; `None` where it says nothing that makes sense, or not
/// in time.
///
/// # Errors
///
/// It cannot be started.
pub async fn ask(worker: &Path, patience: Duration) -> io::Result<Option<About>> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::path::absolute(worker)?)
        .arg(ABOUT)
        .current_dir(folder.path())
        // It need not look at devices to tell what it is.
        .env("CUDA_VISIBLE_DEVICES", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let answer = tokio::time::timeout(patience, answer(&mut child)).await;
    end(&mut child).await;
    Ok(answer.ok().and_then(Result::ok).and_then(|text| understand(&text)))
}

async fn answer(child: &mut Child) -> io::Result<String> {
    let mut text = String::new();
    if let Some(out) = child.stdout.take() {
        out.take(LONGEST).read_to_string(&mut text).await?;
    }
    Ok(text)
}

/// Ends it with all that it started: its group is its own.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id() {
        // Gone already is as good.
        let _ = killpg(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    }
    let _ = child.wait().await;
}

/// Reads the one line of an answer.
fn understand(text: &str) -> Option<About> {
    let about: About = serde_json::from_str(text.lines().next()?).ok()?;
    (!about.program.version.is_empty()).then_some(about)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_an_answer_with_a_version_is_one() {
        let about = understand("{\"version\":\"0.1.0\",\"commit\":\"abc\"}\nmore\n").unwrap();
        assert_eq!((about.program.commit.as_str(), about.libtorch.as_str()), ("abc", ""));
        for text in ["", "{}", "[]", "byol-sweep-worker 0.1.0", "{\"version\":3}"] {
            assert_eq!(understand(text), None, "{text}");
        }
    }

    /// Asks a shell script.
    async fn ask_script(text: &str, patience: Duration) -> Option<About> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // Another test's child may hold the file open for writing for as long as it takes to exec.
        loop {
            match ask(&path, patience).await {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
                answer => return answer.unwrap(),
            }
        }
    }

    #[tokio::test]
    async fn what_knows_no_answer_gives_none_and_what_hangs_is_ended() {
        let bound = Duration::from_secs(60);
        let line = "echo '{\"version\":\"9\",\"libtorch\":\"2\"}'";
        assert_eq!(ask_script(line, bound).await.unwrap().libtorch, "2");
        assert_eq!(ask_script("exit 2", bound).await, None);
        assert_eq!(ask_script("head -c 4000000 /dev/zero", bound).await, None);
        let short = Duration::from_millis(1);
        let hangs = "trap '' TERM\nwhile :; do sleep 1000; done";
        assert_eq!(ask_script(hangs, short).await, None);
    }
}
