//! `send`: one end writes, and the step does not wait for the peer.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, MOST_BYTES, Named, StepKind, from};
use crate::file::{Context, Key, Relation, Reported, Shape, Table, duration};
use crate::model::End;
use crate::world::{Refusal, Stops, World};
use std::time::Duration;

/// `from` writes this many bytes on every connection, and does not wait for an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SendData {
    /// The end that writes.
    pub from: End,
    /// The number of bytes, 1..=65536.
    pub bytes: u32,
}

const FROM: Key<End> = from("The end that writes; the client, if absent.");
const BYTES: Key<u32> = Key::value(
    "bytes",
    Shape::Integer(1, MOST_BYTES),
    |value, cx| value.integer(1..=MOST_BYTES, |bytes| u32::try_from(bytes).ok(), cx),
    "The number of bytes; 10, if absent.",
);
pub(super) const EVERY: Key<Duration> =
    duration("every", "The time between two sends. Needs `count`.");
pub(super) const COUNT: Key<u32> = Key::value(
    "count",
    Shape::Integer(2, super::MOST_TIMES),
    |value, cx| value.integer(2..=super::MOST_TIMES, |count| u32::try_from(count).ok(), cx),
    "The number of sends in all. Needs `every`.",
);

pub(super) const KIND: Kind = Kind {
    word: "send",
    about: "One end writes as much as its send buffer has room for. The step does not wait for an acknowledgement: the data is in flight.",
    keys: &[&FROM, &BYTES, &EVERY, &COUNT],
    relations: &[
        Relation::Needs("every", &["count"]),
        Relation::Needs("count", &["every"]),
    ],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<SendData, Reported> {
    let from = FROM.get(table, cx);
    let bytes = BYTES.get(table, cx);
    Ok(SendData {
        from: from?.map_or(End::Client, |at| at.value),
        bytes: bytes?.map_or(10, |at| at.value),
    })
}

impl Act for SendData {
    fn kind(&self) -> StepKind {
        StepKind::Traffic
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        world.needs_writing(self.from)?;
        if world.stopped(&[Stops::All]).is_some() {
            world.leave_in_flight(self.from);
        }
        Ok(())
    }
}

impl fmt::Display for SendData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "send {} bytes from {}", self.bytes, self.from)
    }
}
