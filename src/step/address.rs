//! `address`: a host loses its address, or gets it back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{Context, Key, Reported, Table, end};
use crate::model::End;
use crate::world::{Fault, Refusal, World};

/// Removes or restores the address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The host.
    pub at: End,
    /// The change.
    pub change: AddressChange,
}

/// The change of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressChange {
    /// Remove the address.
    Remove,
    /// Restore the address, and the routes that the kernel removed with it.
    Restore,
}

const AT: Key<End> = end("at", "The host whose address it is.")
    .required("the host: `at = \"client\"` or `at = \"server\"`");
const ACTION: Key<AddressChange> = Key::word(
    "action",
    &[
        ("remove", AddressChange::Remove),
        ("restore", AddressChange::Restore),
    ],
    "`remove` deletes the address; `restore` adds it again, with the routes that the kernel removed with it.",
)
.required("`action = \"remove\"` or `action = \"restore\"`");

pub(super) const KIND: Kind = Kind {
    word: "address",
    about: "A host loses its address, or gets it back.",
    keys: &[&AT, &ACTION],
    relations: &[],
    of_family: true,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Address, Reported> {
    let (at, change) = (AT.need(table, cx), ACTION.need(table, cx));
    Ok(Address {
        at: at?.value,
        change: change?.value,
    })
}

impl Act for Address {
    fn kind(&self) -> StepKind {
        match self.change {
            AddressChange::Remove => StepKind::Fault,
            AddressChange::Restore => StepKind::Repair,
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("at", self.at.node(), Need::Any)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let at = self.at;
        let gone = Fault::NoAddress(at);
        match self.change {
            AddressChange::Remove => {
                let message = || format!("the {at}'s address is already removed");
                world.begin_once(gone, message, "restore it in between")
            }
            AddressChange::Restore => world.end_once(
                &gone,
                || format!("the {at}'s address is not removed"),
                || format!("`do = \"address\"`, `at = \"{at}\"`, `action = \"remove\"`"),
            ),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            AddressChange::Remove => write!(f, "remove the {}'s address", self.at),
            AddressChange::Restore => write!(f, "restore the {}'s address", self.at),
        }
    }
}
