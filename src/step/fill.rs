//! `fill`: one end writes until its socket accepts no more data.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, StepKind, from};
use crate::file::{Context, Key, Reported, Table};
use crate::model::End;
use crate::world::{Fault, Firewalled, Refusal, Stops, World};

/// `from` writes until its socket accepts no more data: the receive window of the peer and the send
/// buffer are full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fill {
    /// The end that writes.
    pub(crate) from: End,
}

const FROM: Key<End> = from("The end that writes; the client, if absent.");

pub(super) const KIND: Kind = Kind {
    word: "fill",
    about: "One end writes until its socket accepts no more data: the peer's receive window and the send buffer are full.",
    keys: &[&FROM],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Fill, Reported> {
    let from = FROM.get(table, cx)?;
    Ok(Fill {
        from: from.map_or(End::Client, |at| at.value),
    })
}

impl Act for Fill {
    fn kind(&self) -> StepKind {
        StepKind::Traffic
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let from = self.from;
        world.needs_writing(from)?;
        let peer = from.peer();
        // If the peer reads everything, the socket accepts data for ever.
        if stays_unread(world, peer) {
            world.leave_in_flight(from);
            return Ok(());
        }
        let message = format!("this step never ends: the {peer} reads all that the {from} writes");
        Err(Refusal::new(message).help(format!(
            "add an earlier step: `do = \"reader\"`, `at = \"{peer}\"`, `action = \"pause\"`; or use `do = \"send\"`"
        )))
    }
}

/// Whether some of the written data may stay unread or unacknowledged, so that the buffers fill.
fn stays_unread(world: &World, peer: End) -> bool {
    let unread = |fault: &Fault| match fault {
        Fault::Unread(end) | Fault::Forgotten(end) | Fault::Closed(end) | Fault::Destroyed(end) => {
            *end == peer
        }
        Fault::NotAccepting { .. } => peer == End::Server,
        Fault::Shut(_) | Fault::Unopened | Fault::Down(_) | Fault::Narrow(..) => false,
        // A loss of some segments can be a loss of many, so that the written data queues up.
        Fault::Loss(..) | Fault::Untold(_) | Fault::Unconnected => true,
        Fault::Link(_)
        | Fault::Flapping(_)
        | Fault::Silent(_)
        | Fault::NoAddress(_)
        | Fault::Route(..)
        | Fault::WrongNeighbour(..)
        | Fault::NotForwarding(_)
        | Fault::Filter(..)
        | Fault::Impaired(_) => fault.stops() != Some(Stops::Some),
    };
    // The tracked flow may have expired at a firewall.
    world.setting().firewall != Firewalled::No || world.find(unread).is_some()
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fill the window from {}", self.from)
    }
}
