//! The flow in the connection tracking of a router (`net/netfilter/nf_conntrack_proto_tcp.c`).
//!
//! Each segment in the window starts the timeout again, a keepalive probe and its answer too. The
//! timeout is lower while data that has passed is not acknowledged, and once the same segment has
//! come for the fourth time. After the timeout, a strict router drops all segments, because none
//! begins a flow (`tcp_new`). A loose router picks the flow up again.

use std::time::Duration;

use super::clock::{Clock, Jiffies, Nanos};
use super::{Segment, What, index};
use crate::model::{End, Node};
use crate::scenario::Case;

/// `nf_conntrack_tcp_timeout_unacknowledged`, while data that has passed is not acknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(300);
/// `nf_conntrack_tcp_timeout_max_retrans`, after `nf_conntrack_tcp_max_retrans` repetitions.
const REPEATED: Duration = Duration::from_secs(300);
const REPETITIONS: u32 = 3;

/// A flow.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub(super) on: Node,
    timeout: Jiffies,
    loose: bool,
    nat: bool,
    /// `None`: forgotten.
    expires: Option<Jiffies>,
    /// Up to where each end's data has passed, and up to where the other has acknowledged it.
    passed: [u64; 2],
    acknowledged: [u64; 2],
    /// The last segment, and how often it has come again.
    last: Option<(End, What, u64)>,
    repetitions: u32,
}

/// The result for a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracked {
    Passes,
    Dropped,
    /// The rules do not settle it: it is for the router itself, or gets another port.
    Unsettled,
}

impl Flow {
    pub(super) fn new(case: &Case, clock: Clock, now: Nanos) -> Option<Self> {
        let firewall = case.firewall?;
        let timeout = clock.ticks(firewall.established.duration());
        Some(Self {
            on: firewall.on,
            timeout,
            loose: firewall.loose,
            nat: firewall.nat,
            expires: Some(clock.jiffies(now) + timeout),
            passed: [0; 2],
            acknowledged: [0; 2],
            last: None,
            repetitions: 0,
        })
    }

    pub(super) fn flush(&mut self) {
        self.expires = None;
    }

    pub(super) fn pass(&mut self, segment: &Segment, tick: Jiffies, clock: Clock) -> Tracked {
        let known = self.expires.is_some_and(|expires| expires > tick);
        if !known {
            self.expires = None;
            if self.nat && (self.loose || segment.to == End::Client) {
                return Tracked::Unsettled;
            }
            if !self.loose {
                return Tracked::Dropped;
            }
        }
        let (from, to) = (index(segment.to.peer()), index(segment.to));
        if let What::Data { end, .. } = segment.what {
            self.passed[from] = self.passed[from].max(end);
        }
        self.acknowledged[to] = self.acknowledged[to].max(segment.ack);
        let waits = (0..2).any(|end| self.passed[end] > self.acknowledged[end]);
        let this = Some((segment.to, segment.what, segment.ack));
        self.repetitions = if self.last == this {
            self.repetitions + 1
        } else {
            0
        };
        self.last = this;
        let timeout = if self.repetitions >= REPETITIONS {
            self.timeout.min(clock.ticks(REPEATED))
        } else if waits {
            self.timeout.min(clock.ticks(UNACKNOWLEDGED))
        } else {
            self.timeout
        };
        self.expires = Some(tick + timeout);
        Tracked::Passes
    }
}
