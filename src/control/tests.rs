//! The socket with a stand-in for the loop behind it.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::{mpsc, oneshot};

use super::controller::Controller;
use super::*;
use crate::drive::command::{Answer, Command, Request, When};
use crate::drive::lock::StateLock;

const GRANTED: Answer = Answer::Granted { count: 7, when: When::Now };

/// A controller's socket, on a runtime and a thread of its own as in a run.
struct Bench {
    folder: tempfile::TempDir,
    state: PathBuf,
    run: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What the loop behind the socket does.
#[derive(Clone, Copy)]
enum Loop {
    GrantsAll,
    IsOver,
}

impl Bench {
    /// In a folder too deep for the path of a socket.
    fn new(behind: Loop) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("deep".repeat(50));
        let (stop, stopped) = oneshot::channel();
        let (ready, listens) = std::sync::mpsc::channel();
        let path = state.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let lock = StateLock::take(&path).unwrap();
                let (sender, commands) = mpsc::channel(4);
                let server = Server::listen(&path, &lock, sender).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = play(behind, commands) => {}
                    _ = stopped => {}
                }
                server.close().await;
            });
        });
        listens.recv().unwrap();
        Self { folder, state, run: Some((stop, thread)) }
    }

    fn stop(&mut self) {
        if let Some((stop, thread)) = self.run.take() {
            stop.send(()).unwrap();
            thread.join().unwrap();
        }
    }

    fn connect(&self) -> UnixStream {
        let door = door::Door::of(&self.state).unwrap();
        let stream = UnixStream::connect(door.path(SOCKET)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends bytes, closes, and returns what comes back.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The other side may have heard enough already.
        let _heard = stream.write_all(bytes);
        let _left = stream.shutdown(std::net::Shutdown::Write);
        let mut back = Vec::new();
        let _reset = stream.read_to_end(&mut back);
        String::from_utf8(back).unwrap()
    }
}

async fn play(behind: Loop, mut commands: mpsc::Receiver<Command>) {
    match behind {
        Loop::GrantsAll => {
            while let Some(command) = commands.recv().await {
                let _left = command.answer.send(GRANTED);
            }
        }
        Loop::IsOver => {
            drop(commands);
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
    }
}

fn who(state: &Path) -> Option<Answer> {
    ask(state, &Request::Who).unwrap()
}

#[test]
fn a_request_is_answered_in_a_folder_of_any_depth() {
    let bench = Bench::new(Loop::GrantsAll);
    assert_eq!(who(&bench.state), Some(GRANTED));
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_the_run() {
    let mut bench = Bench::new(Loop::GrantsAll);
    let socket = bench.state.join(SOCKET);
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    bench.stop();
    assert!(!socket.exists());
    assert_eq!(who(&bench.state), None);
    assert!(bench.folder.path().exists());
}

#[test]
fn a_socket_that_a_dead_controller_left_is_nobody_and_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let stale = std::os::unix::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap();
    drop(stale);
    assert_eq!(who(folder.path()), None);
    let lock = StateLock::take(folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _within = runtime.enter();
    Server::listen(folder.path(), &lock, mpsc::channel(1).0).unwrap();
}

/// As one does that is stopped by a signal.
#[test]
fn who_listens_and_never_answers_is_told_of_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap();
    let patience = Duration::from_millis(1);
    let told = client::ask_within(folder.path(), &Request::Who, patience).unwrap_err();
    assert!(matches!(told, ControlError::Silent { .. }), "{told:?}");
    let told = told.to_string();
    assert!(told.contains("has not answered") && told.contains("lock"), "{told}");
}

#[test]
fn a_glance_at_the_lock_tells_whether_somebody_is_at_work_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap();
    assert_eq!(Controller::glance(folder.path()), Controller::None);
    let _lock = StateLock::take(folder.path()).unwrap();
    let seen = Controller::glance(folder.path());
    assert!(matches!(seen, Controller::Alive { run: None, .. }), "{seen:?}");
}

#[test]
fn without_a_state_folder_there_is_nobody() {
    assert_eq!(who(Path::new("/nowhere/at/all")), None);
}

#[test]
fn a_silent_client_holds_up_nobody() {
    let bench = Bench::new(Loop::GrantsAll);
    let _silent: Vec<UnixStream> = (0..8).map(|_| bench.connect()).collect();
    assert_eq!(who(&bench.state), Some(GRANTED));
}

#[test]
fn a_run_that_is_over_says_so() {
    let bench = Bench::new(Loop::IsOver);
    let Some(Answer::Refused { why }) = who(&bench.state) else { panic!("granted") };
    assert!(why.contains("about to end"), "{why}");
}

#[test]
fn a_message_without_an_end_is_refused_at_the_limit() {
    let said = Bench::new(Loop::GrantsAll).send(&vec![b'x'; 3 << 20]);
    assert!(said.is_empty() || said.contains("at most"), "{said}");
}

#[test]
fn whatever_is_sent_gets_an_answer_or_a_closed_connection() {
    let bench = Bench::new(Loop::GrantsAll);
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let almost =
        "\\{\"schema\":[0-9]{1,12},\"message\":\\{\"request\":\"(who|edit|stop|run)\".{0,40}\n";
    let sent = prop_oneof![bytes, almost.prop_map(String::into_bytes)];
    proptest!(ProptestConfig::with_cases(200), |(sent in sent)| {
        let back = bench.send(&sent);
        let is_answer = |line: &str| line.starts_with("{\"schema\":1,\"message\":{\"answer\":");
        prop_assert!(back.is_empty() || (is_answer(&back) && back.ends_with("}\n")), "{back}");
    });
    assert_eq!(who(&bench.state), Some(GRANTED));
}
