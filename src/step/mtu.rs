//! `mtu`: changes the MTU of a router's link.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{Context, Key, Reported, Shape, Table, boolean, end, machine};
use crate::model::{End, LARGEST_MTU, Node, SMALLEST_MTU};
use crate::world::{Fault, Refusal, World};

/// Sets the MTU of the link over which a router reaches an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mtu {
    /// The router.
    pub(crate) on: Node,
    /// The end that the link leads to.
    pub(crate) to: End,
    /// The MTU in bytes, 1280..=1500; both families work with these values.
    pub(crate) bytes: u16,
    /// Whether the router sends ICMP "too big" to the sender of a larger packet.
    pub(crate) icmp: bool,
}

const LIMITS: (u64, u64) = (SMALLEST_MTU as u64, LARGEST_MTU as u64);

const ON: Key<Node> = machine("on", "The router.").required("where it is done: `on = \"router\"`");
const TO: Key<End> = end("to", "The end that the link leads to.")
    .required("the end that the link leads to: `to = \"client\"` or `to = \"server\"`");
const BYTES: Key<u16> = Key::value(
    "bytes",
    Shape::Integer(LIMITS.0, LIMITS.1),
    |value, cx| value.integer(LIMITS.0..=LIMITS.1, |bytes| u16::try_from(bytes).ok(), cx),
    "The MTU of the link.",
)
.required("the MTU of the link: `bytes = 1300`");
const ICMP: Key<bool> = boolean(
    "icmp",
    "`false`: the router sends no ICMP \"fragmentation needed\" and no \"packet too big\", like a badly configured router. `true`, if absent.",
);

pub(super) const KIND: Kind = Kind {
    word: "mtu",
    about: "Sets the MTU of the link over which a router reaches an end.",
    keys: &[&ON, &TO, &BYTES, &ICMP],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Mtu, Reported> {
    let on = ON.need(table, cx);
    let to = TO.need(table, cx);
    let bytes = BYTES.need(table, cx);
    let icmp = ICMP.get(table, cx);
    Ok(Mtu {
        on: on?.value,
        to: to?.value,
        bytes: bytes?.value,
        icmp: icmp?.is_none_or(|at| at.value),
    })
}

impl Act for Mtu {
    fn kind(&self) -> StepKind {
        if self.bytes == LARGEST_MTU {
            StepKind::Repair
        } else {
            StepKind::Fault
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("on", self.on, Need::Router)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let (on, to) = (self.on, self.to);
        if !self.icmp {
            let untold = Fault::Untold(on);
            if let Some(earlier) = world.find(|fault| *fault == untold) {
                let message = format!("{} already sends no ICMP \"too big\"", on.the());
                let twice = Refusal::new(message).because(earlier);
                return Err(twice.help("omit `icmp = false`, or remove one of the two"));
            }
            world.begin(untold);
        }
        world.end(|fault| matches!(fault, Fault::Narrow(n, t, _) if (*n, *t) == (on, to)));
        if self.bytes < LARGEST_MTU {
            world.begin(Fault::Narrow(on, to, self.bytes));
        }
        Ok(())
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let untold = if self.icmp {
            ""
        } else {
            ", without ICMP \"too big\""
        };
        let on = self.on.the();
        write!(
            f,
            "set MTU {} on the link of {on} to the {}{untold}",
            self.bytes, self.to
        )
    }
}
