//! `socket`: closes or destroys the sockets of a program.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, StepKind};
use crate::file::{Context, Key, Reported, Table, end};
use crate::model::End;
use crate::world::{Fault, Refusal, World};

/// Closes or destroys the sockets of the program at one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Socket {
    /// The end.
    pub(crate) at: End,
    /// The operation on its sockets.
    pub(crate) act: SocketAct,
}

/// The operation on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SocketAct {
    /// close(2): the kernel sends a FIN, or a RST if received data is unread (RFC 2525 2.17,
    /// `__tcp_close`). With the setting `linger`, close(2) waits, or the kernel sends a RST.
    Close,
    /// shutdown(2) with `SHUT_WR`: the kernel sends a FIN, and the program still reads.
    Shutdown,
    /// close(2) with an `SO_LINGER` of zero, whatever the setting `linger`: the kernel sends a RST
    /// (`tcp_disconnect`).
    Abort,
    /// The administrator destroys the socket (`ss -K`, `SOCK_DESTROY`): the kernel sends a RST to
    /// the peer, and reports `ECONNABORTED` to the program (`tcp_abort`).
    Destroy,
}

const AT: Key<End> =
    end("at", "The end.").required("the end: `at = \"client\"` or `at = \"server\"`");
const ACTION: Key<SocketAct> = Key::word(
    "action",
    &[
        ("close", SocketAct::Close),
        ("shutdown", SocketAct::Shutdown),
        ("abort", SocketAct::Abort),
        ("destroy", SocketAct::Destroy),
    ],
    "`close`: close(2), a FIN; `shutdown`: shutdown(2) with SHUT_WR, a FIN, and the program still reads; `abort`: close(2) with SO_LINGER of zero, a RST; `destroy`: SOCK_DESTROY, as \
     `ss -K` does.",
)
.required("the action: `action = \"close\"`");

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
            SocketAct::Shutdown => write!(f, "shut down the {at}'s sockets for writing"),
            SocketAct::Abort => write!(f, "abort the {at}'s connections"),
            SocketAct::Destroy => write!(f, "destroy the {at}'s sockets"),
        }
    }
}
