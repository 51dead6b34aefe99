//! `conntrack`: deletes the tracked flows of a router, or changes its timeout.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind, tracked};
use crate::file::{
    Context, Diagnostic, Key, Relation, Reported, Shape, Table, machine, tracking_timeout,
};
use crate::model::{Node, TrackingSeconds};
use crate::world::{Change, Refusal, World};

/// Changes the connection tracking of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conntrack {
    /// The router.
    pub(crate) on: Node,
    /// The change.
    pub(crate) change: ConntrackChange,
}

/// The change of connection tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConntrackChange {
    /// Delete every flow.
    Flush,
    /// Set `net.netfilter.nf_conntrack_tcp_timeout_established`. The new timeout applies to a flow
    /// from its next segment on.
    SetTimeout(TrackingSeconds),
}

const ON: Key<Node> = machine("on", "The router.").required("where it is done: `on = \"router\"`");
const ACTION: Key<()> = Key::word("action", &[("flush", ())], "`flush` deletes every flow.");
const ESTABLISHED: Key<TrackingSeconds> = Key::value(
    "established",
    Shape::Seconds(TrackingSeconds::MAX as u64),
    tracking_timeout,
    "The new `nf_conntrack_tcp_timeout_established`, in whole seconds. It applies to a flow from its next segment on.",
);

pub(super) const KIND: Kind = Kind {
    word: "conntrack",
    about: "Deletes the tracked flows of a router, or sets the timeout of its established flows.",
    keys: &[&ON, &ACTION, &ESTABLISHED],
    relations: &[Relation::One(&["action", "established"])],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Conntrack, Reported> {
    let on = ON.need(table, cx);
    let action = ACTION.get(table, cx);
    let established = ESTABLISHED.get(table, cx);
    let (on, action, established) = (on?.value, action?, established?);
    let change = match (action, established) {
        (Some(_), None) => ConntrackChange::Flush,
        (None, Some(established)) => ConntrackChange::SetTimeout(established.value),
        (Some(_), Some(_)) | (None, None) => {
            let message = "this step needs exactly one of `action` and `established`";
            let help = "`action = \"flush\"` deletes every flow; `established = \"10s\"` sets the timeout of established flows";
            return Err(cx.report(Diagnostic::new(table.place(), message).help(help)));
        }
    };
    Ok(Conntrack { on, change })
}

impl Act for Conntrack {
    fn kind(&self) -> StepKind {
        StepKind::Fault
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("on", self.on, Need::Router)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        tracked(world, self.on)?;
        world.note(match self.change {
            ConntrackChange::Flush => Change::FlowsFlushed(self.on),
            ConntrackChange::SetTimeout(_) => Change::FlowTimeout(self.on),
        });
        Ok(())
    }
}

impl fmt::Display for Conntrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = self.on.the();
        match self.change {
            ConntrackChange::Flush => write!(f, "flush connection tracking at {on}"),
            ConntrackChange::SetTimeout(established) => {
                write!(
                    f,
                    "set nf_conntrack_tcp_timeout_established to {established} at {on}"
                )
            }
        }
    }
}
