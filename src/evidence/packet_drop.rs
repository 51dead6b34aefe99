//! Why the kernel dropped a packet (`drop_monitor`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Node;
use crate::wire::Frame;

/// One packet that the kernel dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PacketDrop {
    /// Who dropped it: the host that it came in at, or else the one that its source address names.
    pub node: Node,
    /// The reason as the kernel spells it: `NETFILTER_DROP`, `IP_INNOROUTES`; `NOT_SPECIFIED`
    /// where it has no name for it.
    pub reason: String,
    /// The kernel's function that let it go.
    pub function: String,
    /// The packet, with the moment at which it was dropped.
    pub frame: Frame,
}
