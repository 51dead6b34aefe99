//! What is done to a connection or its network, and when.

mod listener;
mod middlebox;
mod network;
mod program;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::model::display::display_as;
use crate::model::{End, Family, Node};
use crate::text::seconds;

pub use listener::{ListenerAct, ListenerStep};
pub use middlebox::{DRAWN, Filter, FilterVerdict, Loss, Middlebox, Segments, Unreachable, Which};
pub use network::{
    AddressChange, Delay, Flapping, HardwareAddress, Impairment, NeighbourChange, NetworkStep,
};
pub use program::{Act, ProgramStep};

/// One thing that is done to the connection or its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// When, counted from the end of the step before (or from the established connection).
    pub start: Start,
    /// What.
    pub action: Action,
    /// In a network that carries both families: which of them it is about. `None`: all that the network carries.
    pub family: Option<Family>,
    /// Line (from 1) in the file, for messages.
    pub line: usize,
}

impl Step {
    /// Whether it makes a difference to what runs over this family.
    #[must_use]
    pub fn concerns(&self, family: Family) -> bool {
        self.family.is_none_or(|only| only == family)
    }
}

/// When a step is due.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// As soon as the step before is done.
    AtOnce,
    /// This long after the step before is done.
    After(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
    /// Once the observed end has seen this many keepalive probes since the step before was done.
    When {
        /// At least 1.
        count: u32,
        /// Sent, or sent and answered.
        what: ProbeEvent,
    },
}

/// What happened to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeEvent {
    /// It went out.
    Sent,
    /// Its answer came in.
    Answered,
}

/// What a step does.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The client connects, once for each connection. Without this step it has done so before the first.
    Connect,
    /// `from` sends the payload on every connection; the other end sends it back.
    Exchange {
        /// Who speaks first.
        from: End,
        /// What is said; 1..=65536 bytes.
        payload: Vec<u8>,
    },
    /// `from` writes until the kernel takes no more: the peer's window is full, and so is the send buffer.
    Fill {
        /// Who writes.
        from: End,
    },
    /// `from` writes this many bytes on every connection and does not wait for anything.
    Send {
        /// Who writes.
        from: End,
        /// 1..=65536.
        bytes: u32,
    },
    /// The cable of a host is pulled or plugged in again.
    Cable {
        /// Whose cable: the client's or the server's.
        at: End,
        /// Pulled or plugged.
        change: CableChange,
    },
    /// A machine's interface on one of its links goes down or comes up; the other end of the link loses its carrier with it.
    Link {
        /// Whose interface.
        at: Node,
        /// The machine across.
        to: Node,
        /// Down or up.
        change: CableChange,
    },
    /// The host falls silent in both directions with its carrier up, and forgets nothing.
    Crash {
        /// Which host.
        host: End,
    },
    /// A host that crashed goes on as if nothing had happened.
    Resume {
        /// Which host.
        host: End,
    },
    /// The host falls silent, loses all its sockets without a FIN or RST escaping, and is back with the same IP address later.
    Reboot {
        /// Which host.
        host: End,
        /// How long it is gone; may be zero.
        #[serde_as(as = "DurationNanoSeconds<u64>")]
        downtime: Duration,
        /// Its hardware address then.
        mac: HardwareAddress,
    },
    /// A route to one end's network changes.
    Route {
        /// On which node; never a switch.
        on: Node,
        /// Towards which end; never `on` itself.
        to: End,
        /// How.
        change: RouteChange,
    },
    /// Something becomes of the network itself.
    Network(NetworkStep),
    /// A box between the hosts does something to their packets.
    Middlebox(Middlebox),
    /// Something becomes of the program at one end.
    Program(ProgramStep),
    /// Something becomes of the server's listening socket.
    Listener(ListenerStep),
}

/// What happens to a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CableChange {
    /// Carrier lost.
    Pull,
    /// Carrier back.
    Plug,
}

/// What happens to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteChange {
    /// Removed: the lookup finds nothing.
    Delete,
    /// Replaced by an `unreachable` route.
    Unreachable,
    /// Replaced by a `prohibit` route.
    Prohibit,
    /// Replaced by a `blackhole` route.
    Blackhole,
    /// Replaced by one over this router.
    Via(Node),
    /// The original is back.
    Restore,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It breaks something.
    Fault,
    /// It mends something.
    Repair,
    /// It sends data.
    Traffic,
}

impl Action {
    /// Whether the step makes something whole again. (A host that reboots returns in its own time.)
    #[must_use]
    pub fn is_repair(&self) -> bool {
        match self {
            Self::Resume { .. } => true,
            Self::Cable { change, .. } | Self::Link { change, .. } => *change == CableChange::Plug,
            Self::Route { change, .. } => *change == RouteChange::Restore,
            Self::Network(step) => step.is_repair(),
            Self::Middlebox(step) => step.is_repair(),
            Self::Program(step) => step.act.is_repair(),
            _ => false,
        }
    }

    /// Whether the step takes something away from the connection, which makes it the zero of the case's times.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Connect
            | Self::Exchange { .. }
            | Self::Send { .. }
            | Self::Fill { .. }
            | Self::Resume { .. } => false,
            Self::Cable { change, .. } | Self::Link { change, .. } => *change == CableChange::Pull,
            Self::Route { change, .. } => *change != RouteChange::Restore,
            Self::Crash { .. } | Self::Reboot { .. } | Self::Listener(_) => true,
            Self::Network(step) => !step.is_repair(),
            Self::Middlebox(step) => !step.is_repair(),
            Self::Program(step) => !step.act.is_repair(),
        }
    }

    /// Whether the step is about the network or its machines, and not about a program and its own connection.
    #[must_use]
    pub fn is_of_lab(&self) -> bool {
        match self {
            Self::Connect
            | Self::Exchange { .. }
            | Self::Send { .. }
            | Self::Fill { .. }
            | Self::Listener(_)
            | Self::Program(_) => false,
            Self::Cable { .. }
            | Self::Link { .. }
            | Self::Crash { .. }
            | Self::Resume { .. }
            | Self::Reboot { .. }
            | Self::Route { .. }
            | Self::Network(_)
            | Self::Middlebox(_) => true,
        }
    }

    /// What the step is for.
    #[must_use]
    pub fn kind(&self) -> StepKind {
        if self.is_fault() {
            StepKind::Fault
        } else if self.is_repair() {
            StepKind::Repair
        } else {
            StepKind::Traffic
        }
    }
}

/// As `check` prints it and messages name it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange { from, payload } => {
                write!(f, "exchange {} bytes from {from}", payload.len())
            }
            Self::Send { from, bytes } => write!(f, "send {bytes} bytes from {from}"),
            Self::Connect => f.pad("connect"),
            Self::Fill { from } => write!(f, "fill the window from {from}"),
            Self::Cable { at, change } => write!(f, "{change} the {at}'s cable"),
            Self::Crash { host } => write!(f, "crash the {host}"),
            Self::Resume { host } => write!(f, "resume the {host}"),
            Self::Reboot {
                host,
                downtime,
                mac,
            } => {
                let mac = match mac {
                    HardwareAddress::Kept => "",
                    HardwareAddress::New => ", with another hardware address",
                };
                write!(f, "reboot the {host}, {} down{mac}", seconds(*downtime))
            }
            Self::Link { at, to, change } => {
                let (change, at) = (change.to_string(), at.the());
                write!(f, "{change} the link to {} at {at}", to.the())
            }
            Self::Route { on, to, change } => {
                let (word, more) = match change {
                    RouteChange::Delete => ("delete", String::new()),
                    RouteChange::Unreachable => ("unreachable", String::new()),
                    RouteChange::Prohibit => ("prohibit", String::new()),
                    RouteChange::Blackhole => ("blackhole", String::new()),
                    RouteChange::Via(next) => ("move", format!(", to go over {}", next.the())),
                    RouteChange::Restore => ("restore", String::new()),
                };
                write!(f, "{word} the route to the {to} on {}{more}", on.the())
            }
            Self::Network(step) => step.fmt(f),
            Self::Middlebox(step) => step.fmt(f),
            Self::Program(step) => step.fmt(f),
            Self::Listener(step) => step.fmt(f),
        }
    }
}

/// What it does, and to which family.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            None => self.action.fmt(f),
            Some(family) => write!(f, "{} ({family} only)", self.action),
        }
    }
}

display_as!(ProbeEvent { ProbeEvent::Sent => "sent", ProbeEvent::Answered => "answered" });

display_as!(CableChange { CableChange::Pull => "pull", CableChange::Plug => "plug" });
