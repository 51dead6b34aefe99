//! `crash`: a host stops sending and receiving.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind, host};
use crate::file::{Context, Key, Reported, Table};
use crate::model::End;
use crate::world::{Fault, Refusal, World};

/// The host stops sending and receiving. Its carrier stays up, and it keeps all of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Crash {
    /// The host.
    pub host: End,
}

const HOST: Key<End> = host("The host that crashes.");

pub(super) const KIND: Kind = Kind {
    word: "crash",
    about: "A host stops sending and receiving. Its carrier stays up, and it keeps all of its state.",
    keys: &[&HOST],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Crash, Reported> {
    let host = HOST.need(table, cx)?.value;
    Ok(Crash { host })
}

impl Act for Crash {
    fn kind(&self) -> StepKind {
        StepKind::Fault
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("host", self.host.node(), Need::Any)]
    }

    fn waits_for(&self, fault: &Fault, _: &World) -> bool {
        *fault == Fault::Down(self.host)
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let host = self.host;
        is_back(world, host)?;
        let message = || format!("the {host} has crashed already");
        world.begin_once(
            Fault::Silent(host),
            message,
            "let it resume or reboot in between",
        )
    }
}

/// Refuses a step on a host that is still down for its reboot.
pub(super) fn is_back(world: &World, host: End) -> Result<(), Refusal> {
    let Some(earlier) = world.lasting(|fault| *fault == Fault::Down(host)) else {
        return Ok(());
    };
    let message = format!("the {host} is still down from its reboot at this step");
    let early = Refusal::new(message).because(earlier);
    Err(early.help("wait for the end of its `downtime` with `after`"))
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crash the {}", self.host)
    }
}
