//! `status -w`: the same screen again and again. On a terminal it is drawn over itself; elsewhere
//! a new one follows when something happened. Knows nothing of what is on the screen.

use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::reading::runtime;
use crate::ui::Ui;

/// Time between two screens.
const EVERY: Duration = Duration::from_secs(1);

/// Home, and what is left of an older, longer screen is cleared.
const HOME: &str = "\x1b[H";
const TO_LINE_END: &str = "\x1b[K";
const TO_SCREEN_END: &str = "\x1b[J";

/// A screen at one time.
pub(super) struct Screen {
    pub text: String,
    /// Equal as long as nothing happened: it holds no times.
    pub signature: String,
    /// Whether anything may still happen.
    pub life: Life,
}

/// Whether anything may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Attempts are alive, or a controller is.
    On,
    /// Nothing moves any more.
    Over,
}

/// Where screens go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Onto {
    Terminal,
    Pipe,
}

/// Shows screens until nothing moves any more, or the user has seen enough.
pub(super) fn watch(
    ui: &mut Ui,
    mut look: impl FnMut() -> anyhow::Result<Screen>,
) -> anyhow::Result<()> {
    let onto = if std::io::stdout().is_terminal() { Onto::Terminal } else { Onto::Pipe };
    let runtime = runtime()?;
    let mut leave = runtime.block_on(async { Leave::listen(onto) })?;
    let mut shown = String::new();
    loop {
        let screen = look()?;
        match onto {
            Onto::Terminal => {
                let first = shown.is_empty();
                ui.print_bytes(frame(&screen.text, rows(), first).as_bytes())?;
            }
            Onto::Pipe if shown == screen.signature => {}
            Onto::Pipe => ui.print(&screen.text)?,
        }
        // Never empty, so that it also tells that something was shown.
        shown = screen.signature;
        if screen.life == Life::Over || runtime.block_on(leave.within(EVERY)) {
            return Ok(());
        }
    }
}

/// Returns what draws a screen over the one before: no line is cleared before it is written, so
/// that nothing flickers.
fn frame(text: &str, rows: usize, first: bool) -> String {
    let lines: Vec<&str> = text.lines().collect();
    // The last row stays free: the cursor ends there.
    let room = rows.saturating_sub(1).max(1);
    let mut frame = String::from(if first { "\x1b[2J\x1b[H" } else { HOME });
    let (shown, more) = match lines.len() > room {
        true => (room - 1, lines.len() - (room - 1)),
        false => (lines.len(), 0),
    };
    for line in &lines[..shown] {
        frame.push_str(&format!("{line}{TO_LINE_END}\r\n"));
    }
    if more > 0 {
        frame.push_str(&format!("and {more} lines more{TO_LINE_END}\r\n"));
    }
    frame + TO_SCREEN_END
}

fn rows() -> usize {
    console::Term::stdout().size_checked().map_or(24, |(rows, _)| usize::from(rows))
}

/// The ways to leave: a signal, or `q`.
struct Leave {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    keys: mpsc::UnboundedReceiver<u8>,
    _keyboard: Option<Keyboard>,
}

impl Leave {
    /// Listens from now on. Call it within a runtime.
    fn listen(onto: Onto) -> anyhow::Result<Self> {
        let (sender, keys) = mpsc::unbounded_channel();
        let keyboard = match onto {
            Onto::Terminal => Keyboard::open(),
            Onto::Pipe => None,
        };
        if keyboard.is_some() {
            // It ends with the process: a read cannot be called off.
            std::thread::spawn(move || {
                let mut byte = [0];
                while std::io::stdin().read_exact(&mut byte).is_ok() {
                    if sender.send(byte[0]).is_err() {
                        break;
                    }
                }
            });
        }
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { interrupt, terminate, keys, _keyboard: keyboard })
    }

    /// Waits for that long, and returns whether the user leaves.
    async fn within(&mut self, time: Duration) -> bool {
        let pause = tokio::time::sleep(time);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return true,
                _ = self.terminate.recv() => return true,
                Some(key) = self.keys.recv() => if matches!(key, b'q' | b'Q') { return true },
                () = &mut pause => return false,
            }
        }
    }
}

/// A keyboard whose keys come at once and are not shown; as it was before when dropped.
struct Keyboard {
    before: Termios,
}

impl Keyboard {
    /// Returns `None` where there is no terminal to type on, or none of ours.
    fn open() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = termios::tcgetattr(stdin.as_fd()).ok()?;
        let mut now = before.clone();
        now.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        termios::tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &now).ok()?;
        Some(Self { before })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let stdin = std::io::stdin();
        // A terminal that is gone needs nothing.
        let _ = termios::tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &self.before);
        let _ = std::io::stdout().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_written_over_the_last_one_and_fits_the_terminal() {
        let text = "a\nb\nc\n";
        assert_eq!(frame(text, 10, false), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\nc\x1b[K\r\n\x1b[J");
        let cut = frame(text, 3, true);
        assert_eq!(cut, "\x1b[2J\x1b[Ha\x1b[K\r\nand 2 lines more\x1b[K\r\n\x1b[J");
    }
}
