//! Asking a worker what it is, before any attempt depends on it. Workers that know no such question
//! may do anything at all with it: they get a time, and a folder where nothing is in their way.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::provenance::About;

/// The question.
pub const ABOUT: &str = "--about";

/// How long to wait for the answer.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer that is read, in bytes.
const LONGEST: u64 = 16 << 10;

/// What came of the question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What the worker says of itself.
    About(About),
    /// Nothing that makes sense, or not in time.
    Nothing,
    /// The system cannot run it, and would say the same of every attempt: here in its words.
    CannotRun(String),
}

/// Asks the worker what it is.
///
/// # Errors
///
/// It cannot be started.
pub async fn ask(worker: &Path, patience: Duration) -> io::Result<Answer> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::path::absolute(worker)?)
        .arg(ABOUT)
        .current_dir(folder.path())
        // It need not look at devices to tell what it is.
        .env("CUDA_VISIBLE_DEVICES", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let answer = tokio::time::timeout(patience, answer(&mut child)).await;
    end(&mut child).await;
    Ok(answer.ok().and_then(Result::ok).unwrap_or(Answer::Nothing))
}

/// What shells and the dynamic loader exit with where there is nothing to run.
const CANNOT_RUN: [i32; 2] = [126, 127];

async fn answer(child: &mut Child) -> io::Result<Answer> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (told, complaint) = tokio::try_join!(read(out), read(err))?;
    if let Some(about) = understand(&told) {
        return Ok(Answer::About(about));
    }
    let code = child.wait().await?.code();
    let cannot = code.is_some_and(|code| CANNOT_RUN.contains(&code));
    let last = complaint.lines().rfind(|line| !line.trim().is_empty());
    Ok(last.filter(|_| cannot).map_or(Answer::Nothing, |line| Answer::CannotRun(line.to_owned())))
}

/// Reads what there is, as far as an answer may go.
async fn read(from: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(LONGEST).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
    async fn ask_script(text: &str, patience: Duration) -> Answer {
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
        let answer = ask_script(line, bound).await;
        assert!(matches!(&answer, Answer::About(about) if about.libtorch == "2"), "{answer:?}");
        assert_eq!(ask_script("echo no >&2; exit 2", bound).await, Answer::Nothing);
        assert_eq!(ask_script("head -c 4000000 /dev/zero", bound).await, Answer::Nothing);
        let short = Duration::from_millis(1);
        let hangs = "trap '' TERM\nwhile :; do sleep 1000; done";
        assert_eq!(ask_script(hangs, short).await, Answer::Nothing);
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_told_in_the_systems_words() {
        let bound = Duration::from_secs(60);
        let loader = "echo first >&2; echo 'error while loading libtorch_cpu.so' >&2; exit 127";
        let told = Answer::CannotRun("error while loading libtorch_cpu.so".to_owned());
        assert_eq!(ask_script(loader, bound).await, told);
    }
}
