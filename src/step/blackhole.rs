//! `blackhole`: a machine between the ends silently drops every segment of the connection.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{Context, Key, Reported, Table, machine};
use crate::model::{End, Loss, Node, Segments, Which};
use crate::world::{Fault, Refusal, World};

/// Makes a router or a switch silently drop every segment of the connection, in both directions; or
/// ends that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blackhole {
    /// The router or switch.
    pub(crate) on: Node,
    /// Whether it drops from now on.
    pub(crate) drops: bool,
}

impl Blackhole {
    /// The loss rules, one for each direction.
    pub(crate) fn losses(self) -> [Loss; 2] {
        [End::Client, End::Server].map(|to| Loss {
            to,
            what: Segments::Any,
            which: Which::All,
        })
    }
}

const ON: Key<Node> =
    machine("on", "The router or switch.").required("where it is done: `on = \"router\"`");
const ACTION: Key<bool> = Key::word(
    "action",
    &[("start", true), ("stop", false)],
    "`start`: drop the segments; `stop`: let them pass again. `start`, if absent.",
);

pub(super) const KIND: Kind = Kind {
    word: "blackhole",
    about: "A router or a switch silently drops every segment of the connection, in both directions. No carrier, route or neighbour \
            changes, and no ICMP error is sent.",
    keys: &[&ON, &ACTION],
    relations: &[],
    of_family: true,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Blackhole, Reported> {
    let (on, drops) = (ON.need(table, cx), ACTION.get(table, cx));
    Ok(Blackhole {
        on: on?.value,
        drops: drops?.is_none_or(|at| at.value),
    })
}

impl Act for Blackhole {
    fn kind(&self) -> StepKind {
        if self.drops {
            StepKind::Fault
        } else {
            StepKind::Repair
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("on", self.on, Need::Forwards)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let on = self.on;
        let faults = self.losses().map(|loss| Fault::Loss(on, loss));
        if !self.drops {
            if faults.iter().all(|fault| world.has(fault)) {
                world.end(|fault| faults.contains(fault));
                return Ok(());
            }
            let early = Refusal::new(format!("{} has no blackhole to stop", on.the()));
            let help = format!("add an earlier step: `do = \"blackhole\"`, `on = \"{on}\"`");
            return Err(early.help(help));
        }
        let loses = |fault: &Fault| matches!(fault, Fault::Loss(node, _) if *node == on);
        if let Some(earlier) = world.find(loses) {
            let twice = Refusal::new(format!("{} already drops segments", on.the()));
            let twice = twice.because(earlier);
            return Err(twice.help("remove one of the two, or stop the other in between"));
        }
        faults.into_iter().for_each(|fault| world.begin(fault));
        Ok(())
    }
}

impl fmt::Display for Blackhole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.drops { "drop" } else { "stop dropping" };
        write!(f, "{word} every segment at {}", self.on.the())
    }
}
