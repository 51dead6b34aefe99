//! What becomes of the program at one end, and of its sockets.
//!
//! No process is started, because TCP has no notion of one. What it knows of a program is which of its sockets are open, and what is read
//! from them. A killed process is one whose sockets are closed, by `do_exit` (`exit_files`) as by close(2): each goes through
//! `__tcp_close`. A stopped one (`SIGSTOP`) is one that reads nothing: no code under `net/ipv4/tcp*` asks for its state.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::End;

/// A step at one end's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramStep {
    /// At which end.
    pub at: End,
    /// What becomes of it.
    pub act: Act,
}

/// What becomes of a program or its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// close(2): a FIN, or a RST where something was not read (RFC 2525 2.17, `__tcp_close`). With the setting `linger` it waits, or
    /// resets.
    Close,
    /// shutdown(2) with `SHUT_WR`: a FIN, and what comes is still read.
    Shutdown,
    /// close(2) with `SO_LINGER` of zero, whatever was set: a RST (`tcp_disconnect`).
    Abort,
    /// The administrator destroys the socket (`ss -K`, `SOCK_DESTROY`): a RST to the peer, and `ECONNABORTED` to the program (`tcp_abort`).
    Destroy,
    /// `SIGKILL`: the kernel closes all that the process has, the listening socket too, and waits for nothing (`inet_release`).
    Kill,
    /// `SIGSTOP`: it does nothing, and its kernel goes on.
    Stop,
    /// `SIGCONT`: it reads what has come.
    Continue,
    /// It reads nothing any more.
    Pause,
    /// It reads again.
    Resume,
}

impl Act {
    /// Whether it makes something whole again.
    #[must_use]
    pub fn is_repair(self) -> bool {
        matches!(self, Self::Continue | Self::Resume)
    }

    /// Whether the program has no socket any more, so that nothing can be observed of it.
    #[must_use]
    pub fn takes_sockets(self) -> bool {
        matches!(self, Self::Close | Self::Abort | Self::Kill)
    }
}

/// As `check` prints it and messages name it.
impl fmt::Display for ProgramStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match self.act {
            Act::Close => write!(f, "close the {at}'s sockets"),
            Act::Shutdown => write!(f, "shut down the {at}'s sending"),
            Act::Abort => write!(f, "abort the {at}'s connections"),
            Act::Destroy => write!(f, "destroy the {at}'s sockets"),
            Act::Kill => write!(f, "kill the {at}'s process"),
            Act::Stop => write!(f, "stop the {at}'s process"),
            Act::Continue => write!(f, "continue the {at}'s process"),
            Act::Pause => write!(f, "the {at} stops reading"),
            Act::Resume => write!(f, "the {at} reads again"),
        }
    }
}
