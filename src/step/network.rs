//! What becomes of the network itself: a host's address, a neighbour's entry, a router's forwarding, a cable that flaps, a path that is
//! slow, lossy or narrow.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::model::{End, Node, Percent};
use crate::text::seconds;

/// One step at the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkStep {
    /// A host's address, and the routes that the kernel has for it.
    Address {
        /// Whose.
        at: End,
        /// Taken away or given back.
        change: AddressChange,
    },
    /// The entry for the next node on a node's way to an end: the end itself, or the router before it.
    Neighbour {
        /// Whose entry; never the switch's.
        on: Node,
        /// On the way to which end; never `on` itself.
        to: End,
        /// How.
        change: NeighbourChange,
    },
    /// Whether a router forwards packets.
    Forwarding {
        /// Which router.
        on: Node,
        /// From now on.
        forwards: bool,
    },
    /// A host's cable goes out and in again, by itself. Done when it is out for the first time; the rest goes on beside the next steps.
    Flap {
        /// Whose cable.
        at: End,
        /// How often, and how long.
        flapping: Flapping,
    },
    /// What a host sends goes over a bad path from now on, instead of whatever it was before.
    Impair {
        /// Which host.
        at: End,
        /// How bad.
        impairment: Impairment,
    },
    /// The path is a good one again.
    Heal {
        /// Of what which host sends.
        at: End,
    },
}

/// What happens to a host's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressChange {
    /// Taken away.
    Remove,
    /// Given back, with the routes that have gone with it.
    Restore,
}

/// What happens to a neighbour's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourChange {
    /// Forgotten: the next packet has to ask.
    Remove,
    /// Permanent, with a hardware address that nobody has.
    Wrong,
    /// The wrong one is gone.
    Restore,
}

/// A cable that goes out and in again: each period is half the one and half the other.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flapping {
    /// 1..=1000.
    pub count: u32,
    /// From one time that it goes out to the next.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub period: Duration,
}

impl Flapping {
    /// From when it goes out for the first time until it is in for good.
    #[must_use]
    pub fn lasts(self) -> Duration {
        self.period * self.count - self.period / 2
    }
}

/// The hardware address with which a host comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HardwareAddress {
    /// The one that it had.
    Kept,
    /// One that it never had: another network card, or a virtual machine that was made anew.
    New,
}

/// A bad path (netem). What a host hands to its interface in one piece is one packet, as in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Impairment {
    /// All of it comes later.
    pub delay: Option<Delay>,
    /// So many of a hundred packets are lost.
    pub loss: Option<Percent>,
    /// So many of a hundred packets come twice.
    pub duplicate: Option<Percent>,
    /// So many thousands of bits go through in a second.
    pub rate: Option<u32>,
    /// Which packets the chance hits is the same for the same seed.
    pub seed: Option<u64>,
}

/// How much later.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delay {
    /// On the average; up to a minute.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub by: Duration,
    /// More or less by up to so much, each packet by another; at most `by`.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub jitter: Option<Duration>,
    /// So many of a hundred packets are not delayed, and overtake those that are.
    pub reorder: Option<Percent>,
}

impl Impairment {
    /// Whether chance has a part in it.
    #[must_use]
    pub fn draws(&self) -> bool {
        let delayed = |delay: Delay| delay.jitter.is_some() || delay.reorder.is_some();
        self.loss.is_some() || self.duplicate.is_some() || self.delay.is_some_and(delayed)
    }
}

impl NetworkStep {
    /// Whether it makes something whole again. (A cable that flaps does so in its own time.)
    #[must_use]
    pub fn is_repair(&self) -> bool {
        match self {
            Self::Address { change, .. } => *change == AddressChange::Restore,
            Self::Neighbour { change, .. } => *change == NeighbourChange::Restore,
            Self::Forwarding { forwards, .. } => *forwards,
            Self::Heal { .. } => true,
            Self::Flap { .. } | Self::Impair { .. } => false,
        }
    }

    /// The node that the step names, where not every topology has it.
    #[must_use]
    pub fn node(&self) -> Option<Node> {
        match self {
            Self::Neighbour { on, .. } | Self::Forwarding { on, .. } => Some(*on),
            _ => None,
        }
    }
}

/// As `check` prints it and messages name it.
impl fmt::Display for NetworkStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { at, change } => match change {
                AddressChange::Remove => write!(f, "remove the {at}'s address"),
                AddressChange::Restore => write!(f, "restore the {at}'s address"),
            },
            Self::Neighbour { on, to, change } => {
                let entry = format!("the neighbour towards the {to} on {}", on.the());
                match change {
                    NeighbourChange::Remove => write!(f, "forget {entry}"),
                    NeighbourChange::Wrong => write!(f, "wrong hardware address of {entry}"),
                    NeighbourChange::Restore => write!(f, "restore {entry}"),
                }
            }
            Self::Forwarding { on, forwards } => {
                let word = if *forwards { "on" } else { "off" };
                write!(f, "forwarding {word} at {}", on.the())
            }
            Self::Flap { at, flapping } => {
                let Flapping { count, period } = flapping;
                write!(
                    f,
                    "flap the {at}'s cable {count} times, every {}",
                    seconds(*period)
                )
            }
            Self::Impair { at, impairment } => {
                write!(f, "impair what the {at} sends: {impairment}")
            }
            Self::Heal { at } => write!(f, "impair what the {at} sends no more"),
        }
    }
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(Delay {
            by,
            jitter,
            reorder,
        }) = self.delay
        {
            parts.push(format!("delay {}", seconds(by)));
            parts.extend(jitter.map(|jitter| format!("jitter {}", seconds(jitter))));
            parts.extend(reorder.map(|share| format!("reorder {share}")));
        }
        parts.extend(self.loss.map(|share| format!("loss {share}")));
        parts.extend(self.duplicate.map(|share| format!("duplicate {share}")));
        parts.extend(self.rate.map(|rate| format!("rate {rate} kbit/s")));
        parts.extend(self.seed.map(|seed| format!("seed {seed}")));
        f.write_str(&parts.join(", "))
    }
}
