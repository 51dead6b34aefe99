//! `process`: the process at one end is killed, stopped or continued.
//!
//! No process is started, because TCP has no notion of one. TCP sees which sockets of a program are
//! open, and what is read from them. A killed process is one whose sockets are closed, by `do_exit`
//! (`exit_files`) as by close(2): each goes through `__tcp_close`. A stopped one is one that reads
//! nothing: no code under `net/ipv4/tcp*` asks for its state.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, StepKind};
use crate::file::{Context, Key, Reported, Table, end};
use crate::model::End;
use crate::world::{Fault, Refusal, World};

/// The process at one end gets a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// The end.
    pub at: End,
    /// The signal.
    pub signal: Signal,
}

/// What happens to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// `SIGKILL`: the kernel closes all that the process has, the listening socket too, and waits
    /// for nothing (`inet_release`).
    Kill,
    /// `SIGSTOP`: it does nothing, and its kernel goes on.
    Stop,
    /// `SIGCONT`: it reads what has come.
    Continue,
}

const AT: Key<End> =
    end("at", "The end.").required("at which end: `at = \"client\"` or `at = \"server\"`");
const ACTION: Key<Signal> = Key::word(
    "action",
    &[
        ("kill", Signal::Kill),
        ("stop", Signal::Stop),
        ("continue", Signal::Continue),
    ],
    "`kill`: SIGKILL, the kernel closes its sockets; `stop`: SIGSTOP, it does nothing; `continue`: SIGCONT, it goes on.",
)
.required("what becomes of it: `action = \"kill\"`");

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
            // A process without a connection may listen.
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
