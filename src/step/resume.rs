//! `resume`: a crashed host sends and receives again.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind, host};
use crate::file::{Context, Key, Reported, Table};
use crate::model::End;
use crate::world::{Fault, Refusal, World};

/// A crashed host sends and receives again, with all of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resume {
    /// The host.
    pub host: End,
}

const HOST: Key<End> = host("The host that crashed.");

pub(super) const KIND: Kind = Kind {
    word: "resume",
    about: "A crashed host sends and receives again, with all of its state.",
    keys: &[&HOST],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Resume, Reported> {
    let host = HOST.need(table, cx)?.value;
    Ok(Resume { host })
}

impl Act for Resume {
    fn kind(&self) -> StepKind {
        StepKind::Repair
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("host", self.host.node(), Need::Any)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let host = self.host;
        if world.end(|fault| *fault == Fault::Silent(host)) {
            return Ok(());
        }
        let early = Refusal::new(format!("the {host} has not crashed, so it cannot resume"));
        Err(match world.find(|fault| *fault == Fault::Forgotten(host)) {
            Some(rebooted) => early.because(rebooted).help(
                "remove this step: a host that reboots comes back by itself, after its `downtime`",
            ),
            None => early.help(format!(
                "add an earlier step: `do = \"crash\"`, `host = \"{host}\"`"
            )),
        })
    }
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resume the {}", self.host)
    }
}
