//! `cable`: a cable is unplugged or plugged in, or an interface is set down or up.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{
    Context, Key, Problem, Relation, Reported, Shape, Table, Value, alternatives, end_word,
    machine, nearest,
};
use crate::model::{End, Node, Side};
use crate::world::{Fault, Refusal, World};

/// Pulls the cable of a host or plugs it in again. With both machines of a link named, sets an
/// interface down or up; the other end of the link then loses its carrier or gets it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cable {
    /// The side of the link.
    pub side: Side,
    /// The change.
    pub change: CableChange,
}

/// The change of a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CableChange {
    /// The carrier is lost.
    Pull,
    /// The carrier is back.
    Plug,
}

const AT: Key<Node> = machine(
    "at",
    "The host at which the cable ends; with `to`, the machine whose interface goes down or comes up.",
)
.required("`at = \"client\"` or `at = \"server\"`, or two machines, `at` and `to`");
const AT_END: Key<End> = Key::value(
    "at",
    Shape::End,
    an_end,
    "The host at which the cable ends.",
)
.required("`at = \"client\"` or `at = \"server\"`, or two machines, `at` and `to`");
const TO: Key<Node> = machine("to", "The machine at the other end of the link.");
const ACTION: Key<CableChange> = Key::word(
    "action",
    &[("pull", CableChange::Pull), ("plug", CableChange::Plug)],
    "`pull`: the carrier is lost; `plug`: the carrier is back.",
)
.required("`action = \"pull\"` or `action = \"plug\"`");

pub(super) const KIND: Kind = Kind {
    word: "cable",
    about: "A host's cable is pulled or plugged in; behind a switch, the other host keeps its carrier. With `to`, the interface of `at` goes \
            down or comes up, and `to` loses its carrier or gets it back.",
    keys: &[&AT, &TO, &ACTION],
    relations: &[Relation::Without("to", "at", &Shape::End)],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Cable, Reported> {
    let side = if table.has("to") {
        let (at, to) = (AT.need(table, cx), TO.need(table, cx));
        at.and_then(|at| Ok(Side::Link(at.value, to?.value)))
    } else {
        let at = AT_END.need(table, cx);
        table.allow(TO.name());
        at.map(|at| Side::Cable(at.value))
    };
    let change = ACTION.need(table, cx)?.value;
    Ok(Cable {
        side: side?,
        change,
    })
}

/// Reads `at` of a step without `to`. Only the client and the server are valid: another machine may
/// have several links, so `to` must name one.
fn an_end(value: &Value, cx: &mut Context) -> Result<End, Reported> {
    let ends = ["client", "server"];
    let other = value
        .as_str()
        .filter(|name| nearest(name, ends).is_none() && Node::named(name).is_some());
    let Some(other) = other else {
        return end_word(value, cx);
    };
    let message = format!("`{other}` is not a value of `{}`", value.path());
    let help = format!(
        "it can be {}; with another machine, `to` must name the machine at the other end of the link",
        alternatives(&ends, "or")
    );
    Err(value.wrong(Problem::new(message, help), cx))
}

impl Act for Cable {
    fn kind(&self) -> StepKind {
        match self.change {
            CableChange::Pull => StepKind::Fault,
            CableChange::Plug => StepKind::Repair,
        }
    }

    fn machines(&self) -> Vec<Named> {
        match self.side {
            Side::Cable(at) => vec![Named::new("at", at.node(), Need::Any)],
            Side::Link(at, to) => vec![
                Named::new("at", at, Need::Any),
                Named::new("to", to, Need::LinkTo(at)),
            ],
        }
    }

    fn waits_for(&self, fault: &Fault, world: &World) -> bool {
        flaps(fault, self.side, world)
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let side = self.side;
        still(world, side)?;
        match self.change {
            CableChange::Pull => {
                plugged(world, side)?;
                world.begin(Fault::Link(side));
                Ok(())
            }
            CableChange::Plug if world.end(|fault| *fault == Fault::Link(side)) => Ok(()),
            CableChange::Plug => Err(not_pulled(world, side)),
        }
    }
}

/// Whether the fault is the flapping of this link.
pub(super) fn flaps(fault: &Fault, side: Side, world: &World) -> bool {
    match fault {
        Fault::Flapping(end) => world.is_same_link(Side::Cable(*end), side),
        _ => false,
    }
}

/// Refuses a step on a link that may still flap.
pub(super) fn still(world: &World, side: Side) -> Result<(), Refusal> {
    let Some(earlier) = world.may_last(|fault| flaps(fault, side, world)) else {
        return Ok(());
    };
    let early =
        Refusal::new(format!("{} may still flap at this step", named(side))).because(earlier);
    Err(early.help(
        "use `after` to wait until the flapping ends: it takes `count` times `period`, less half a period",
    ))
}

/// Refuses to pull a link that is already pulled, at either end.
pub(super) fn plugged(world: &World, side: Side) -> Result<(), Refusal> {
    let Some((pulled, earlier)) = world.pulled(side) else {
        return Ok(());
    };
    let topology = world.setting().topology.as_ref();
    let help = if pulled == side {
        "remove one of the two, or plug it in between"
    } else if topology.is_some_and(|topology| topology.is_one_cable()) {
        "remove one of the two: a `direct` topology has one cable, with the client at one end and the server at the other"
    } else {
        "remove one of the two: both steps are about one link"
    };
    let twice = Refusal::new(format!("{} is already pulled", named(side))).because(earlier);
    Err(twice.help(help))
}

fn not_pulled(world: &World, side: Side) -> Refusal {
    let early = Refusal::new(format!(
        "{} is not pulled, so it cannot be plugged in",
        named(side)
    ));
    match world.pulled(side) {
        Some((pulled, earlier)) => early.because(earlier).help(format!(
            "plug it in where it was pulled: {}",
            written(pulled)
        )),
        None => early.help(format!(
            "pull it in an earlier step: `do = \"cable\"`, {}, `action = \"pull\"`",
            written(side)
        )),
    }
}

fn named(side: Side) -> String {
    match side {
        Side::Cable(at) => format!("the {at}'s cable"),
        Side::Link(at, to) => format!("the link between {} and {}", at.the(), to.the()),
    }
}

/// The keys of the link in a file.
fn written(side: Side) -> String {
    match side {
        Side::Cable(at) => format!("`at = \"{at}\"`"),
        Side::Link(at, to) => format!("`at = \"{at}\"`, `to = \"{to}\"`"),
    }
}

impl fmt::Display for CableChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pull => "pull",
            Self::Plug => "plug",
        })
    }
}

impl fmt::Display for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = self.change;
        match self.side {
            Side::Cable(at) => write!(f, "{change} the {at}'s cable"),
            Side::Link(at, to) => write!(f, "{change} the link to {} at {}", to.the(), at.the()),
        }
    }
}
