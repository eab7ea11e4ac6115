//! A session for a child from before its first line: no signal of the controller's terminal reaches
//! it, and everything that it starts can be told by the session's id.
#![expect(unsafe_code, reason = "the standard library has no stable way to start a session")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the child lead a session, and with it a process group, of its own.
pub(super) fn lead(command: &mut Command) {
    let begin = || match nix::unistd::setsid() {
        Ok(_) => Ok(()),
        Err(errno) => Err(io::Error::from(errno)),
    };
    // SAFETY: between fork and exec only what is safe after a fork may run: setsid is (see
    // signal-safety(7)), and nothing here allocates, locks or panics.
    unsafe { command.pre_exec(begin) };
}
