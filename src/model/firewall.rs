//! A stateful firewall between the ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::TrackingSeconds;
use super::node::Node;

/// A stateful filter on a router: it forwards what belongs to a flow that its connection tracking
/// knows and what begins one, and drops all else in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Firewall {
    /// Which router.
    pub on: Node,
    /// `net.netfilter.nf_conntrack_tcp_timeout_established`: how long an idle flow is known.
    pub established: TrackingSeconds,
    /// `net.netfilter.nf_conntrack_tcp_loose`: whether a segment from the middle of a flow that it
    /// does not know begins one.
    pub loose: bool,
    /// Whether what it forwards towards the server gets its own address there (masquerade). The
    /// server knows no way to the client's.
    pub nat: bool,
}

impl Firewall {
    /// With the kernel's own settings: five days (`tcp_timeouts` in
    /// `net/netfilter/nf_conntrack_proto_tcp.c`), and loose (`nf_conntrack_tcp_init_net`).
    #[must_use]
    pub fn new(on: Node) -> Self {
        Self {
            on,
            established: TrackingSeconds::DEFAULT,
            loose: true,
            nat: false,
        }
    }
}
