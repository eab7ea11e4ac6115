//! What reaches a run while it waits, from several channels. Knows nothing of what follows.

use tokio::sync::mpsc;

use super::command::{Command, Commands};
use crate::ids::DeviceId;
use crate::schedule::DeviceState;

/// Where news of devices come from.
pub type DeviceNews = mpsc::Receiver<(DeviceId, DeviceState)>;

/// The channels; those that are closed are no longer listened to.
pub(super) struct Inbox {
    commands: Option<Commands>,
    devices: Option<DeviceNews>,
}

/// Something that arrived.
pub(super) enum Letter {
    Command(Command),
    Device(DeviceId, DeviceState),
}

impl Inbox {
    pub(super) fn new(commands: Commands, devices: DeviceNews) -> Self {
        Self { commands: Some(commands), devices: Some(devices) }
    }

    /// Returns the next letter; never, when none will come. Nothing is lost when the future is
    /// dropped.
    pub(super) async fn next(&mut self) -> Letter {
        tokio::select! {
            command = next(&mut self.commands) => Letter::Command(command),
            (device, state) = next(&mut self.devices) => Letter::Device(device, state),
        }
    }

    /// Returns a command that nobody has heard yet, if one is there.
    pub(super) fn unheard(&mut self) -> Option<Command> {
        self.commands.as_mut()?.try_recv().ok()
    }
}

async fn next<T>(channel: &mut Option<mpsc::Receiver<T>>) -> T {
    if let Some(open) = channel {
        match open.recv().await {
            Some(letter) => return letter,
            None => *channel = None,
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::command::Request;

    #[tokio::test]
    async fn a_closed_channel_neither_ends_nor_spins_and_the_other_one_is_heard() {
        let (_, commands) = mpsc::channel(1);
        let (devices, news) = mpsc::channel(1);
        let mut inbox = Inbox::new(commands, news);
        tokio::select! {
            biased;
            _ = inbox.next() => panic!("nothing was sent"),
            () = tokio::task::yield_now() => {}
        }
        assert!(inbox.commands.is_none(), "a closed channel is not asked again");
        devices.send((DeviceId::Cpu, DeviceState::Busy)).await.unwrap();
        let letter = inbox.next().await;
        assert!(matches!(letter, Letter::Device(DeviceId::Cpu, DeviceState::Busy)));
    }

    #[tokio::test]
    async fn commands_come_with_the_place_for_their_answer() {
        let (sender, commands) = mpsc::channel(1);
        let mut inbox = Inbox::new(commands, mpsc::channel(1).1);
        let (answer, _) = tokio::sync::oneshot::channel();
        sender.send(Command { request: Request::Who, answer }).await.unwrap();
        let Letter::Command(command) = inbox.next().await else { panic!("a command was sent") };
        assert_eq!(command.request, Request::Who);
    }
}
