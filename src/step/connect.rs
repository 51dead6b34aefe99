//! `connect`: the client opens its connections.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, StepKind};
use crate::file::{Context, Reported, Table};
use crate::world::{Fault, Refusal, Stops, World};

/// The client opens all of its connections. In a case without this step, the connections are
/// established before the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connect;

pub(super) const KIND: Kind = Kind {
    word: "connect",
    about: "The client opens its connections. Without this step they are open before the first step. Steps before it act on the network alone, and the result of \
            connect(2) is the client's outcome.",
    keys: &[],
    relations: &[],
    of_family: false,
};

pub(super) fn read(_: &mut Table, _: &mut Context) -> Result<Connect, Reported> {
    Ok(Connect)
}

impl Act for Connect {
    fn kind(&self) -> StepKind {
        StepKind::Traffic
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        if !world.end(|fault| *fault == Fault::Unopened) {
            let twice = Refusal::new("the connection has been opened already");
            return Err(twice.help("a case opens its connections once: remove one of the two"));
        }
        world.end(|fault| matches!(fault, Fault::NotAccepting { passes: true, .. }));
        let flaps = world.find(|fault| matches!(fault, Fault::Flapping(_)));
        if world.stopped(&[Stops::All]).is_some() && flaps.is_none() {
            world.begin(Fault::Unconnected);
        }
        Ok(())
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("connect")
    }
}
