//! `socket`: the sockets of a program are closed, or destroyed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, StepKind};
use crate::file::{Context, Key, Reported, Table, end};
use crate::model::End;
use crate::world::{Fault, Refusal, World};

/// The sockets of the program at one end are closed, or destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Socket {
    /// The end.
    pub at: End,
    /// What happens to its sockets.
    pub act: SocketAct,
}

/// What happens to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SocketAct {
    /// close(2): a FIN, or a RST where something was not read (RFC 2525 2.17, `__tcp_close`). With
    /// the setting `linger` it waits, or resets.
    Close,
    /// shutdown(2) with `SHUT_WR`: a FIN, and what comes is still read.
    Shutdown,
    /// close(2) with `SO_LINGER` of zero, whatever was set: a RST (`tcp_disconnect`).
    Abort,
    /// The administrator destroys the socket (`ss -K`, `SOCK_DESTROY`): a RST to the peer, and
    /// `ECONNABORTED` to the program (`tcp_abort`).
    Destroy,
}

const AT: Key<End> =
    end("at", "The end.").required("at which end: `at = \"client\"` or `at = \"server\"`");
const ACTION: Key<SocketAct> = Key::word(
    "action",
    &[
        ("close", SocketAct::Close),
        ("shutdown", SocketAct::Shutdown),
        ("abort", SocketAct::Abort),
        ("destroy", SocketAct::Destroy),
    ],
    "`close`: close(2), a FIN; `shutdown`: shutdown(2) with SHUT_WR, a FIN, and the program reads on; `abort`: close(2) with SO_LINGER of zero, a RST; `destroy`: SOCK_DESTROY, as \
     `ss -K` does.",
)
.required("what becomes of it: `action = \"close\"`");

pub(super) const KIND: Kind = Kind {
    word: "socket",
    about: "The program at one end closes its sockets, or the administrator destroys them.",
    keys: &[&AT, &ACTION],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Socket, Reported> {
    let (at, act) = (AT.need(table, cx), ACTION.need(table, cx));
    Ok(Socket {
        at: at?.value,
        act: act?.value,
    })
}

impl Act for Socket {
    fn kind(&self) -> StepKind {
        StepKind::Fault
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let at = self.at;
        world.needs_socket(at)?;
        world.begin(match self.act {
            SocketAct::Shutdown => Fault::Shut(at),
            SocketAct::Close | SocketAct::Abort => Fault::Closed(at),
            SocketAct::Destroy => Fault::Destroyed(at),
        });
        Ok(())
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match self.act {
            SocketAct::Close => write!(f, "close the {at}'s sockets"),
            SocketAct::Shutdown => write!(f, "shut down the {at}'s sending"),
            SocketAct::Abort => write!(f, "abort the {at}'s connections"),
            SocketAct::Destroy => write!(f, "destroy the {at}'s sockets"),
        }
    }
}
