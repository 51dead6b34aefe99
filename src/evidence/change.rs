//! Changes of a namespace's network that the kernel announced (rtnetlink(7) multicast).

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Family, Moment, Node};

/// One announced change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NetworkChange {
    /// When the harness read it.
    pub(crate) at: Moment,
    /// The node whose namespace has changed.
    pub(crate) node: Node,
    /// What has changed.
    pub(crate) change: Change,
}

/// A change of a node's network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// A link has changed its state.
    Link {
        /// The name of the link.
        interface: String,
        /// The new state.
        state: LinkState,
    },
    /// A neighbour entry (arp(7)) is new or has another state.
    Neighbour {
        /// The neighbour.
        address: IpAddr,
        /// `REACHABLE`, as `ip neighbour` spells it.
        state: String,
    },
    /// A neighbour entry is gone.
    NeighbourGone {
        /// The neighbour.
        address: IpAddr,
    },
    /// A route was added.
    RouteAdded(String),
    /// A route was deleted.
    RouteDeleted(String),
}

/// The state of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LinkState {
    /// Set down.
    Down,
    /// Set up, without a carrier.
    NoCarrier,
    /// Up, with a carrier.
    Up,
}

impl Change {
    /// Returns whether the change affects connections of this address family.
    #[must_use]
    pub(crate) fn concerns(&self, family: Family) -> bool {
        let is_ipv6 = match self {
            Self::Link { .. } => return true,
            Self::Neighbour { address, .. } | Self::NeighbourGone { address } => address.is_ipv6(),
            // An IPv6 address always contains a colon, an IPv4 address never does.
            Self::RouteAdded(route) | Self::RouteDeleted(route) => route.contains(':'),
        };
        is_ipv6 == (family == Family::Ipv6)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { interface, state } => {
                let state = match state {
                    LinkState::Down => "down",
                    LinkState::NoCarrier => "up, no carrier",
                    LinkState::Up => "up",
                };
                write!(f, "link {interface} {state}")
            }
            Self::Neighbour { address, state } => write!(f, "neighbour {address} {state}"),
            Self::NeighbourGone { address } => write!(f, "neighbour {address} gone"),
            Self::RouteAdded(route) => write!(f, "route added: {route}"),
            Self::RouteDeleted(route) => write!(f, "route deleted: {route}"),
        }
    }
}
