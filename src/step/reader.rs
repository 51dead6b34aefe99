//! `reader`: the program at one end stops reading, or reads again.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, StepKind};
use crate::file::{Context, Key, Reported, Table, end};
use crate::model::End;
use crate::world::{Refusal, World};

/// The program at one end stops reading, or reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reader {
    /// The end.
    pub(crate) at: End,
    /// Whether the program reads after this step.
    pub(crate) reads: bool,
}

const AT: Key<End> =
    end("at", "The end.").required("the end: `at = \"client\"` or `at = \"server\"`");
const ACTION: Key<bool> = Key::word(
    "action",
    &[("pause", false), ("resume", true)],
    "`pause`: the program reads nothing, and received data stays in the kernel; `resume`: it reads again.",
)
.required("the action: `action = \"pause\"`");

pub(super) const KIND: Kind = Kind {
    word: "reader",
    about: "The program at one end stops reading, or reads again.",
    keys: &[&AT, &ACTION],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Reader, Reported> {
    let (at, reads) = (AT.need(table, cx), ACTION.need(table, cx));
    Ok(Reader {
        at: at?.value,
        reads: reads?.value,
    })
}

impl Act for Reader {
    fn kind(&self) -> StepKind {
        if self.reads {
            StepKind::Repair
        } else {
            StepKind::Fault
        }
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        if self.reads {
            world.read_again(self.at)
        } else {
            world.stop_reading(self.at)
        }
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        if self.reads {
            write!(f, "the {at} reads again")
        } else {
            write!(f, "the {at} stops reading")
        }
    }
}
