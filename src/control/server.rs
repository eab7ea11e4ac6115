//! Listens on the socket while a run is on. Each client has a task, a time limit and a length limit
//! of its own, so that a bad one holds up neither others nor the run.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ControlError;
use super::door::{Door, SOCKET};
use super::message::{self, LONGEST};
use crate::drive::command::{Answer, Command, ENDING, Request};
use crate::drive::lock::StateLock;

/// The name under which the socket is made before it is ready.
const UNREADY: &str = "control.sock.new";

/// How long a client may take for its line, and for taking its answer.
const LINE: Duration = Duration::from_secs(5);

/// How long the loop may take: it may be writing to a slow disk, or preparing.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// Clients at a time; more wait for their turn.
const CLIENTS: usize = 32;

/// How long the end of a run waits for clients.
const FAREWELL: Duration = Duration::from_secs(1);

/// The pause after the system gave no connection, as when there are too many open files.
const BREATH: Duration = Duration::from_millis(100);

/// The socket of a run; it is gone when this value is.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
    door: Door,
    clients: Arc<Semaphore>,
}

impl Server {
    /// Listens from now on and hands requests to `commands`. The lock proves that a socket which
    /// is there already is a dead controller's. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The socket cannot be made in the state folder.
    pub fn listen(
        state: &Path,
        _lock: &StateLock,
        commands: mpsc::Sender<Command>,
    ) -> Result<Self, ControlError> {
        let failed = |source| ControlError::Listen { path: state.join(SOCKET), source };
        let door = Door::of(state).map_err(failed)?;
        let listener = bind(&door).map_err(failed)?;
        let clients = Arc::new(Semaphore::new(CLIENTS));
        let task = tokio::spawn(serve(listener, commands, Arc::clone(&clients)));
        Ok(Self { task, door, clients })
    }

    /// Listens no more, and lets those who have asked take their answers, for a moment.
    pub async fn close(self) {
        self.task.abort();
        let all = u32::try_from(CLIENTS).unwrap_or(u32::MAX);
        let _answered = timeout(FAREWELL, self.clients.acquire_many(all)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        let _gone = std::fs::remove_file(self.door.path(SOCKET));
    }
}

/// Makes the socket aside: under its name it is its owner's alone from the beginning.
fn bind(door: &Door) -> io::Result<UnixListener> {
    let aside = door.path(UNREADY);
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&aside)?;
    std::fs::set_permissions(&aside, Permissions::from_mode(0o600))?;
    std::fs::rename(&aside, door.path(SOCKET))?;
    Ok(listener)
}

async fn serve(listener: UnixListener, commands: mpsc::Sender<Command>, clients: Arc<Semaphore>) {
    loop {
        let Ok(permit) = Arc::clone(&clients).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let commands = commands.clone();
                tokio::spawn(async move {
                    // A client that leaves early or breaks its connection takes no answer.
                    let _left = attend(stream, &commands).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

/// Reads one line and answers it.
async fn attend(stream: UnixStream, commands: &mpsc::Sender<Command>) -> io::Result<()> {
    let owner = stream.peer_cred()?.uid() == nix::unistd::geteuid().as_raw();
    let (read, mut write) = stream.into_split();
    let answer = if owner { respond(read, commands).await } else { Some(stranger()) };
    let Some(answer) = answer else { return Ok(()) };
    timeout(LINE, write.write_all(&message::line(&answer))).await??;
    write.shutdown().await
}

/// Returns the answer; `None` for a client that left without a word.
async fn respond(read: OwnedReadHalf, commands: &mpsc::Sender<Command>) -> Option<Answer> {
    let mut line = Vec::new();
    let mut read = BufReader::new(read.take(LONGEST));
    match timeout(LINE, read.read_until(b'\n', &mut line)).await {
        Err(_) => return Some(refused(format!("no whole message within {} s", LINE.as_secs()))),
        Ok(Err(_)) => return None,
        Ok(Ok(0)) => return None,
        Ok(Ok(_)) => {}
    }
    Some(match message::read(&line) {
        Ok(request) => forward(request, commands).await,
        Err(why) => refused(why),
    })
}

async fn forward(request: Request, commands: &mpsc::Sender<Command>) -> Answer {
    let (sender, receiver) = oneshot::channel();
    let asked = async {
        commands.send(Command { request, answer: sender }).await.ok()?;
        receiver.await.ok()
    };
    match timeout(ANSWER, asked).await {
        Ok(Some(answer)) => answer,
        Ok(None) => refused(ENDING.to_owned()),
        Err(_) => refused(format!("the run gave no answer within {} s", ANSWER.as_secs())),
    }
}

fn stranger() -> Answer {
    refused("this run belongs to another user".to_owned())
}

fn refused(why: String) -> Answer {
    Answer::Refused { why }
}
