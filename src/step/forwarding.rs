//! `forwarding`: turns IP forwarding of a router off or on.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{Context, Key, Reported, Table, machine};
use crate::model::Node;
use crate::world::{Fault, Refusal, World};

/// Turns IP forwarding of a router off or on (`net.ipv4.ip_forward`,
/// `net.ipv6.conf.all.forwarding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forwarding {
    /// The router.
    pub on: Node,
    /// Whether it forwards from now on.
    pub forwards: bool,
}

const ON: Key<Node> = machine("on", "The router.").required("where it is done: `on = \"router\"`");
const ACTION: Key<bool> = Key::word(
    "action",
    &[("off", false), ("on", true)],
    "`off`: the router silently drops every packet that is not for itself; `on`: it forwards again.",
)
.required("`action = \"off\"` or `action = \"on\"`");

pub(super) const KIND: Kind = Kind {
    word: "forwarding",
    about: "A router stops forwarding, or forwards again.",
    keys: &[&ON, &ACTION],
    relations: &[],
    of_family: true,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Forwarding, Reported> {
    let (on, forwards) = (ON.need(table, cx), ACTION.need(table, cx));
    Ok(Forwarding {
        on: on?.value,
        forwards: forwards?.value,
    })
}

impl Act for Forwarding {
    fn kind(&self) -> StepKind {
        if self.forwards {
            StepKind::Repair
        } else {
            StepKind::Fault
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("on", self.on, Need::Router)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let on = self.on;
        let off = Fault::NotForwarding(on);
        if self.forwards {
            return world.end_once(
                &off,
                || format!("{} already forwards", on.the()),
                || format!("`do = \"forwarding\"`, `on = \"{on}\"`, `action = \"off\"`"),
            );
        }
        let message = || format!("{} has already stopped forwarding", on.the());
        world.begin_once(off, message, "switch it on in between")
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.forwards { "on" } else { "off" };
        write!(f, "forwarding {word} at {}", self.on.the())
    }
}
