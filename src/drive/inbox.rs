//! What reaches a run while it waits. Knows nothing of what follows.

use super::command::{Command, Commands};

/// The channel of commands; once it is closed, it is no longer listened to.
pub(super) struct Inbox {
    commands: Option<Commands>,
}

impl Inbox {
    pub(super) fn new(commands: Commands) -> Self {
        Self { commands: Some(commands) }
    }

    /// Returns the next command; never, when none will come. Nothing is lost when the future is
    /// dropped.
    pub(super) async fn next(&mut self) -> Command {
        if let Some(open) = &mut self.commands {
            match open.recv().await {
                Some(command) => return command,
                None => self.commands = None,
            }
        }
        std::future::pending().await
    }

    /// Returns a command that nobody has heard yet, if one is there.
    pub(super) fn unheard(&mut self) -> Option<Command> {
        self.commands.as_mut()?.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::drive::command::Request;

    #[tokio::test]
    async fn a_closed_channel_neither_ends_nor_spins() {
        let (_, commands) = mpsc::channel(1);
        let mut inbox = Inbox::new(commands);
        tokio::select! {
            biased;
            _ = inbox.next() => panic!("nothing was sent"),
            () = tokio::task::yield_now() => {}
        }
        assert!(inbox.commands.is_none(), "a closed channel is not asked again");
        assert!(inbox.unheard().is_none());
    }

    #[tokio::test]
    async fn commands_come_with_the_place_for_their_answer() {
        let (sender, commands) = mpsc::channel(1);
        let mut inbox = Inbox::new(commands);
        let (answer, _) = oneshot::channel();
        sender.send(Command { request: Request::Who, answer }).await.unwrap();
        assert_eq!(inbox.next().await.request, Request::Who);
    }
}
