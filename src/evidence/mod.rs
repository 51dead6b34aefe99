//! The evidence of a case: frames, counters, socket states, and changes of the network. This module
//! contains data only.
//!
//! All moments are `CLOCK_MONOTONIC` of the kernel that the case ran on. The size of the evidence
//! is bounded for each case; discarded items are counted.

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

pub(crate) use bounded_log::Excerpt;
pub(crate) use change::Change;
pub(crate) use change::LinkState;
pub(crate) use change::NetworkChange;
pub(crate) use packet_drop::PacketDrop;
pub use socket::SocketSample;
pub(crate) use socket::SocketState;
pub(crate) use socket::TcpInfo;
pub(crate) use socket::Timer;
pub(crate) use step::Delay;
pub(crate) use step::StepTaken;

use crate::model::{CLIENT_PORT, Counters, End, Node};
use crate::wire::Frame;

/// Everything that was recorded of a case.
#[serde_as]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// `CLOCK_REALTIME` at the zero of `CLOCK_MONOTONIC`. It converts a moment to a date.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub(crate) epoch: Duration,
    /// The steps of the case, in order.
    pub steps: Vec<StepTaken>,
    /// The frames at each host's interface.
    pub captures: Vec<Captured>,
    /// The samples of each end's first connection: the socket's state and its timer, after each
    /// event and in regular intervals.
    pub(crate) sockets: Vec<SocketSample>,
    /// The number of samples that were discarded.
    pub(crate) sockets_cut: u64,
    /// The changes of links, neighbour entries and routes that the kernel announced.
    pub(crate) changes: Vec<NetworkChange>,
    /// The number of changes that were discarded.
    pub(crate) changes_cut: u64,
    /// The packets of the case that the kernel dropped, with the reasons; `None` if the kernel does
    /// not report them.
    pub(crate) drops: Option<Excerpt<PacketDrop>>,
    /// The increases of the counters of each host and router from zero time to the end of the case,
    /// without zero increases.
    pub(crate) counters: Vec<NodeCounters>,
}

/// The frames that one packet socket captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Captured {
    /// The host of the interface.
    pub(crate) node: Node,
    /// The name of the interface in the host's namespace.
    pub(crate) interface: String,
    /// In the order in which the kernel delivered them.
    pub frames: Excerpt<Frame>,
}

/// The counters of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NodeCounters {
    /// The node of the namespace.
    pub(crate) node: Node,
    /// The increase of each counter.
    pub(crate) rises: Counters,
}

impl Evidence {
    /// Returns the steps with a delay that is larger than the expectations of a case allow for, and
    /// the delay of each.
    pub(crate) fn delays(&self) -> impl Iterator<Item = (&StepTaken, Delay)> {
        (self.steps.iter()).filter_map(|step| Some((step, step.delay()?)))
    }

    /// Returns the capture of one host.
    #[must_use]
    pub(crate) fn capture(&self, node: Node) -> Option<&Captured> {
        self.captures.iter().find(|capture| capture.node == node)
    }

    /// Returns the samples of one end's socket, in order.
    pub(crate) fn samples(&self, end: End) -> impl DoubleEndedIterator<Item = &SocketSample> {
        self.sockets.iter().filter(move |sample| sample.end == end)
    }

    /// Returns the samples of one end's first connection, in order.
    pub fn samples_of_first(&self, end: End) -> impl DoubleEndedIterator<Item = &SocketSample> {
        let samples = self.samples(end);
        samples.filter(|sample| sample.connection == CLIENT_PORT)
    }
}
