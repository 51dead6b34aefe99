//! `process`: the process at one end is killed, stopped or continued.
//!
//! The step starts no process, because TCP depends only on the open sockets of a program and on
//! what the program reads from them. To kill a process is to close its sockets: `do_exit`
//! (`exit_files`) and close(2) both end in `__tcp_close`. To stop a process is to stop reading: no
//! code under `net/ipv4/tcp*` depends on the state of the process.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, StepKind};
use crate::file::{Context, Key, Reported, Table, end};
use crate::model::End;
use crate::world::{Fault, Refusal, World};

/// Sends a signal to the process at one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// The end.
    pub(crate) at: End,
    /// The signal.
    pub(crate) signal: Signal,
}

/// The signal to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signal {
    /// `SIGKILL`: the kernel closes all sockets of the process, including the listening socket, and
    /// does not linger (`inet_release`).
    Kill,
    /// `SIGSTOP`: the process does nothing; the kernel continues to serve its sockets.
    Stop,
    /// `SIGCONT`: the process continues, and reads the data that has arrived.
    Continue,
}

const AT: Key<End> =
    end("at", "The end.").required("the end: `at = \"client\"` or `at = \"server\"`");
const ACTION: Key<Signal> = Key::word(
    "action",
    &[
        ("kill", Signal::Kill),
        ("stop", Signal::Stop),
        ("continue", Signal::Continue),
    ],
    "`kill`: SIGKILL, the kernel closes its sockets; `stop`: SIGSTOP, it does nothing; `continue`: SIGCONT, it goes on.",
)
.required("the action: `action = \"kill\"`");

pub(super) const KIND: Kind = Kind {
    word: "process",
    about: "The process at one end is killed, stopped or continued.",
    keys: &[&AT, &ACTION],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Process, Reported> {
    let (at, signal) = (AT.need(table, cx), ACTION.need(table, cx));
    Ok(Process {
        at: at?.value,
        signal: signal?.value,
    })
}

impl Act for Process {
    fn kind(&self) -> StepKind {
        match self.signal {
            Signal::Kill | Signal::Stop => StepKind::Fault,
            Signal::Continue => StepKind::Repair,
        }
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let at = self.at;
        match self.signal {
            // Only the program is required: a server without a connection has a listening socket.
            Signal::Kill => {
                world.needs_program(at)?;
                world.begin(Fault::Closed(at));
                Ok(())
            }
            Signal::Stop => world.stop_reading(at),
            Signal::Continue => world.read_again(at),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match self.signal {
            Signal::Kill => write!(f, "kill the {at}'s process"),
            Signal::Stop => write!(f, "stop the {at}'s process"),
            Signal::Continue => write!(f, "continue the {at}'s process"),
        }
    }
}
