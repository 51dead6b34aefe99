//! What a case leaves behind: frames, counters, socket states, changes of the network. Data, and
//! nothing but data.
//!
//! All moments are `CLOCK_MONOTONIC` of the kernel that the case ran on. What is kept is bounded
//! for each case; what was cut is counted.

mod bounded_log;
mod change;
mod packet_drop;
mod socket;
mod step;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

pub(crate) use bounded_log::BoundedLog;

pub use bounded_log::Excerpt;
pub use change::Change;
pub use change::LinkState;
pub use change::NetworkChange;
pub(crate) use packet_drop::PacketDrop;
pub use socket::SocketSample;
pub use socket::SocketState;
pub use socket::TcpInfo;
pub use socket::Timer;
pub use step::Delay;
pub use step::StepTaken;

use crate::model::{CLIENT_PORT, Counters, End, Node};
use crate::wire::Frame;

/// Everything that was recorded of a case.
#[serde_as]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// `CLOCK_REALTIME` at the zero of `CLOCK_MONOTONIC`: what makes a moment a date.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub epoch: Duration,
    /// The steps that were taken, in order.
    pub steps: Vec<StepTaken>,
    /// The frames at each host's interface.
    pub captures: Vec<Captured>,
    /// The state of each end's first connection and its timer, whenever something had happened.
    pub sockets: Vec<SocketSample>,
    /// How many more looks there were that were not kept.
    pub sockets_cut: u64,
    /// What the kernel announced of links, addresses, neighbours and routes.
    pub changes: Vec<NetworkChange>,
    /// How many more there were that were not kept.
    pub changes_cut: u64,
    /// The packets of the case that the kernel dropped, and why; `None` where it does not tell.
    pub(crate) drops: Option<Excerpt<PacketDrop>>,
    /// By how much each host's counters rose from zero time to the end of the case; those that
    /// did.
    pub counters: Vec<NodeCounters>,
}

/// What one packet socket saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Captured {
    /// Whose interface.
    pub node: Node,
    /// Its name in the host's namespace.
    pub interface: String,
    /// In the order in which the kernel delivered them.
    pub frames: Excerpt<Frame>,
}

/// One namespace's counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeCounters {
    /// Whose.
    pub node: Node,
    /// By how much each rose.
    pub rises: Counters,
}

impl Evidence {
    /// The steps that came later or took longer than what is expected of a case allows for.
    pub(crate) fn delays(&self) -> impl Iterator<Item = (&StepTaken, Delay)> {
        (self.steps.iter()).filter_map(|step| Some((step, step.delay()?)))
    }

    /// What was captured of one host.
    #[must_use]
    pub(crate) fn capture(&self, node: Node) -> Option<&Captured> {
        self.captures.iter().find(|capture| capture.node == node)
    }

    /// The looks at one end's socket, in order.
    pub(crate) fn samples(&self, end: End) -> impl DoubleEndedIterator<Item = &SocketSample> {
        self.sockets.iter().filter(move |sample| sample.end == end)
    }

    /// The looks at one end's first connection.
    pub fn samples_of_first(&self, end: End) -> impl DoubleEndedIterator<Item = &SocketSample> {
        let samples = self.samples(end);
        samples.filter(|sample| sample.connection == CLIENT_PORT)
    }
}
