//! `conntrack`: connection tracking of a router forgets, or has another timeout.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind, tracked};
use crate::file::{
    Context, Diagnostic, Key, Relation, Reported, Shape, Table, machine, tracking_timeout,
};
use crate::model::{Node, TrackingSeconds};
use crate::world::{Change, Refusal, World};

/// Connection tracking of a router changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conntrack {
    /// The router.
    pub on: Node,
    /// What happens to it.
    pub change: ConntrackChange,
}

/// What happens to connection tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConntrackChange {
    /// Every flow is deleted.
    Flush,
    /// `net.netfilter.nf_conntrack_tcp_timeout_established` gets this value; a flow takes it from
    /// its next segment on.
    SetTimeout(TrackingSeconds),
}

const ON: Key<Node> = machine("on", "The router.").required("where it is done: `on = \"router\"`");
const ACTION: Key<()> = Key::word("action", &[("flush", ())], "`flush` deletes every flow.");
const ESTABLISHED: Key<TrackingSeconds> = Key::value(
    "established",
    Shape::Seconds(TrackingSeconds::MAX as u64),
    tracking_timeout,
    "`nf_conntrack_tcp_timeout_established` from now on, whole seconds; a flow takes it from its next segment on.",
);

pub(super) const KIND: Kind = Kind {
    word: "conntrack",
    about: "Connection tracking of a router deletes every flow, or gets another timeout.",
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
            let message = "this step needs `action` or `established`, one of the two";
            let help = "`action = \"flush\"` deletes every flow; `established = \"10s\"` is the timeout of an idle one from now on";
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
