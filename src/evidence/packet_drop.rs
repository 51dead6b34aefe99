//! Packets that the kernel dropped, with the reasons (`drop_monitor`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Node;
use crate::wire::Frame;

/// One packet that the kernel dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PacketDrop {
    /// The node that dropped it: the node at which it arrived, or, if it arrived at none, the node
    /// that has its source MAC address.
    pub(crate) node: Node,
    /// The reason in the kernel's spelling: `NETFILTER_DROP`, `IP_INNOROUTES`; `NOT_SPECIFIED` if
    /// the kernel has no name for it.
    pub(crate) reason: String,
    /// The kernel function that dropped it.
    pub(crate) function: String,
    /// The packet, with the time at which it was dropped.
    pub(crate) frame: Frame,
}
