//! `neighbour`: removes the neighbour entry of a node, or makes it wrong.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{Context, Diagnostic, Key, Reported, Table, end, machine};
use crate::model::{End, Node};
use crate::world::{Change, Fault, Refusal, World};

/// Changes the neighbour entry of a node for the next hop on the path to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbour {
    /// The node with the entry; never a switch.
    pub on: Node,
    /// The end that the path leads to; never `on` itself.
    pub to: End,
    /// The change.
    pub change: NeighbourChange,
}

/// The change of a neighbour entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourChange {
    /// Delete the entry: the next packet triggers a new ARP or NDP resolution.
    Remove,
    /// Replace it by a permanent entry with an unused MAC address.
    Wrong,
    /// Delete the wrong entry.
    Restore,
}

const ON: Key<Node> =
    machine("on", "The node with the entry.").required("the node with the entry: `on = \"...\"`");
const TO: Key<End> = end(
    "to",
    "The end that the path leads to; the entry is for the next hop on it.",
)
.required("the end that the path leads to: `to = \"client\"` or `to = \"server\"`");
const ACTION: Key<NeighbourChange> = Key::word(
    "action",
    &[
        ("remove", NeighbourChange::Remove),
        ("wrong", NeighbourChange::Wrong),
        ("restore", NeighbourChange::Restore),
    ],
    "`remove` deletes the entry, so that the next packet triggers a new resolution; `wrong` installs a permanent entry with an unused hardware address; \
     `restore` deletes that.",
)
.required("what happens to the entry: `action = \"remove\"`");

pub(super) const KIND: Kind = Kind {
    word: "neighbour",
    about: "Changes the ARP or NDP entry of a node for the next hop on the path to an end.",
    keys: &[&ON, &TO, &ACTION],
    relations: &[],
    of_family: true,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Neighbour, Reported> {
    let on = ON.need(table, cx);
    let to = TO.need(table, cx);
    let change = ACTION.need(table, cx);
    let (on, to, change) = (on?, to?, change?);
    if on.value == to.value.node() {
        let message = format!("the {} is not its own neighbour", to.value);
        let itself = Diagnostic::new(to.span, message).related(on.span, "the same end");
        let peer = to.value.peer();
        return Err(cx.report(itself.help(format!("write `to = \"{peer}\"`"))));
    }
    Ok(Neighbour {
        on: on.value,
        to: to.value,
        change: change.value,
    })
}

impl Act for Neighbour {
    fn kind(&self) -> StepKind {
        match self.change {
            NeighbourChange::Remove | NeighbourChange::Wrong => StepKind::Fault,
            NeighbourChange::Restore => StepKind::Repair,
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("on", self.on, Need::Routes)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let Self { on, to, change } = *self;
        let wrong = Fault::WrongNeighbour(on, to);
        let message = || {
            format!(
                "{} already has a wrong entry for its neighbour towards the {to}",
                on.the()
            )
        };
        match change {
            NeighbourChange::Wrong => world.begin_once(wrong, message, "restore it in between"),
            NeighbourChange::Restore => world.end_once(
                &wrong,
                || format!("{} has no wrong entry for its neighbour towards the {to}", on.the()),
                || {
                    format!(
                        "`do = \"neighbour\"`, `on = \"{on}\"`, `to = \"{to}\"`, `action = \"wrong\"`"
                    )
                },
            ),
            NeighbourChange::Remove => {
                if let Some(earlier) = world.find(|fault| *fault == wrong) {
                    let early = Refusal::new(message()).because(earlier);
                    let help = "write `action = \"restore\"`: it deletes the wrong entry, so that the next packet triggers a new resolution";
                    return Err(early.help(help));
                }
                world.note(Change::NeighbourRemoved(on, to));
                Ok(())
            }
        }
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = format!(
            "the neighbour entry of {} towards the {}",
            self.on.the(),
            self.to
        );
        match self.change {
            NeighbourChange::Remove => write!(f, "remove {entry}"),
            NeighbourChange::Wrong => write!(f, "install a wrong hardware address in {entry}"),
            NeighbourChange::Restore => write!(f, "restore {entry}"),
        }
    }
}
