//! A stateful firewall between the ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::TrackingSeconds;
use super::node::Node;

/// A stateful filter on a router. It forwards packets that belong to a tracked flow or that begin
/// one, and silently drops all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Firewall {
    /// The router.
    pub on: Node,
    /// `net.netfilter.nf_conntrack_tcp_timeout_established`: how long an idle flow is tracked.
    pub established: TrackingSeconds,
    /// `net.netfilter.nf_conntrack_tcp_loose`: whether a segment from the middle of an untracked
    /// flow begins a tracked flow.
    pub loose: bool,
    /// Whether packets forwarded to the server get the router's own source address (masquerade).
    /// The server has no route to the client's address.
    pub nat: bool,
}

impl Firewall {
    /// A firewall with the kernel's default settings: a timeout of five days (`tcp_timeouts` in
    /// `net/netfilter/nf_conntrack_proto_tcp.c`), and loose (`nf_conntrack_tcp_init_net`).
    #[must_use]
    pub(crate) fn new(on: Node) -> Self {
        Self {
            on,
            established: TrackingSeconds::DEFAULT,
            loose: true,
            nat: false,
        }
    }
}
