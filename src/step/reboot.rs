//! `reboot`: a host loses all of its sockets, and comes back after a downtime.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use super::crash::is_back;
use super::{Act, Kind, Named, Need, StepKind, host};
use crate::file::{Context, Key, Reported, Table, duration};
use crate::model::End;
use crate::text::seconds;
use crate::world::{Change, Fault, Refusal, World};

/// The host stops sending and receiving, loses all of its sockets without sending a FIN or RST, and
/// comes back later with the same IP address.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reboot {
    /// The host.
    pub host: End,
    /// The time for which the host is down; may be zero.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub downtime: Duration,
    /// The MAC address after the reboot.
    pub mac: HardwareAddress,
}

/// The MAC address of a host after its reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HardwareAddress {
    /// The same address as before.
    Kept,
    /// An address that the host has not had before: it has another network card, or is a newly
    /// created virtual machine.
    New,
}

const HOST: Key<End> = host("The host that reboots.");
const DOWNTIME: Key<Duration> = duration("downtime", "How long the host is down; `0s`, if absent.");
const MAC: Key<HardwareAddress> = Key::word(
    "mac",
    &[("new", HardwareAddress::New)],
    "`new`: the host comes back with another MAC address, and does not announce it unless a sysctl makes it do so.",
);

pub(super) const KIND: Kind = Kind {
    word: "reboot",
    about: "A host stops sending and receiving, loses all of its sockets without a FIN or RST, and comes back with the same IP address.",
    keys: &[&HOST, &DOWNTIME, &MAC],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Reboot, Reported> {
    let host = HOST.need(table, cx);
    let downtime = DOWNTIME.get(table, cx);
    let mac = MAC.get(table, cx);
    Ok(Reboot {
        host: host?.value,
        downtime: downtime?.map_or(Duration::ZERO, |at| at.value),
        mac: mac?.map_or(HardwareAddress::Kept, |at| at.value),
    })
}

impl Act for Reboot {
    fn kind(&self) -> StepKind {
        StepKind::Fault
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("host", self.host.node(), Need::Any)]
    }

    fn waits_for(&self, fault: &Fault, _: &World) -> bool {
        *fault == Fault::Down(self.host)
    }

    /// A crashed host can be rebooted too, as one turns a hanging machine off and on.
    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let Self {
            host,
            downtime,
            mac,
        } = *self;
        is_back(world, host)?;
        world.note(Change::Rebooted {
            host,
            downtime,
            new_mac: mac == HardwareAddress::New,
        });
        world.end(|fault| *fault == Fault::Silent(host));
        world.begin(Fault::Forgotten(host));
        world.begin_for(Fault::Down(host), downtime);
        Ok(())
    }
}

impl fmt::Display for Reboot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = match self.mac {
            HardwareAddress::Kept => "",
            HardwareAddress::New => ", with another hardware address",
        };
        write!(
            f,
            "reboot the {}, {} down{mac}",
            self.host,
            seconds(self.downtime)
        )
    }
}
