//! Faults on the path and their durations, as data.
//!
//! All times count from the last segment that the observed end received before the outage, because
//! the kernel counts from that segment. Each time is an interval, because steps take time and
//! timers are late.

use super::interval::Interval;
use crate::model::{End, Filter, FilterVerdict, Node, RouteChange};

/// A fault on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The cable of this end's host is pulled.
    Cable(End),
    /// A machine's interface on a link of the path is down.
    Link(Node, Node),
    /// This end's host is silent, with its carrier up.
    Crash(End),
    /// This end's host has lost its sockets, and is silent until it is back.
    Reboot(End),
    /// A node's route to an end was changed.
    Route(Node, End, RouteChange),
    /// The router's firewall has removed the flow, because it was idle for its timeout.
    Forgotten,
    /// A step has removed all flows of the router's firewall.
    Flushed,
    /// A router filters every segment.
    Filtered(Filter),
    /// A router or switch on the path drops every segment to this end.
    Lost(End),
    /// A node sends every packet to this end to an unused hardware address.
    Misdirected(Node, End),
    /// This end's host has no address: it neither accepts segments for the address nor answers ARP
    /// or NDP requests for it.
    Unaddressed(End),
    /// The router does not forward, and sends no ICMP errors.
    NotForwarded,
}

impl Fault {
    /// Whether segments to this end are lost.
    #[must_use]
    pub(crate) fn blocks(self, to: End) -> bool {
        match self {
            Self::Route(_, end, _) | Self::Lost(end) | Self::Misdirected(_, end) => end == to,
            Self::Filtered(filter) => filter.to.is_none_or(|end| end == to),
            Self::Cable(_)
            | Self::Link(..)
            | Self::Crash(_)
            | Self::Reboot(_)
            | Self::Forgotten
            | Self::Flushed
            | Self::Unaddressed(_)
            | Self::NotForwarded => true,
        }
    }

    /// Returns whether the fault removes the carrier of this end's host, or sets its interface
    /// down.
    #[must_use]
    pub(crate) fn is_at_cable(self, end: End) -> bool {
        match self {
            Self::Cable(at) => at == end,
            Self::Link(at, to) => [at, to].contains(&end.node()),
            _ => false,
        }
    }
}

/// The return of the path at the end of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathReturn {
    /// The time since the last received segment.
    pub(crate) at: Interval,
    /// If the step waited for probes: the path returns right after this many probes of the observed
    /// end.
    pub(crate) after_probes: Option<u32>,
}

/// Data that the observed end wrote during an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// The time of the write since the last received segment.
    pub(crate) at: Interval,
    /// The number of bytes.
    pub(crate) bytes: u32,
}

/// An interval during which segments are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outage {
    /// All faults of the outage, in order. A fault that ends stays in the list.
    pub(crate) faults: Vec<Fault>,
    /// The beginning, since the last received segment.
    pub(crate) begins: Interval,
    /// The age of the connection at the beginning.
    pub(crate) age: Interval,
    /// The return of the path; `None` if the path stays broken.
    pub(crate) back: Option<PathReturn>,
    /// The data that the observed end wrote during the outage.
    pub(crate) written: Option<Written>,
    /// Whether the other end wrote data during the outage.
    pub(crate) peer_wrote: bool,
    /// Whether probes may have been answered before the outage, so that the timer may be waiting
    /// for the interval instead of the idle time.
    pub(crate) probed: bool,
}

impl Outage {
    /// Whether segments to this end are lost.
    #[must_use]
    pub(crate) fn blocks(&self, to: End) -> bool {
        self.faults.iter().any(|fault| fault.blocks(to))
    }

    /// Returns whether a router answers segments to this end with a RST in the name of this end.
    #[must_use]
    pub(crate) fn resets(&self, to: End) -> bool {
        let resets = |fault: &Fault| {
            let rst = FilterVerdict::Rst;
            matches!(fault, Fault::Filtered(filter) if filter.verdict == rst) && fault.blocks(to)
        };
        self.faults.iter().any(resets)
    }

    /// The only fault of the outage; `None` if there are several.
    #[must_use]
    pub(crate) fn only_fault(&self) -> Option<Fault> {
        match self.faults[..] {
            [fault] => Some(fault),
            _ => None,
        }
    }

    /// Returns whether this host has lost its sockets.
    #[must_use]
    pub(crate) fn forgets(&self, host: End) -> bool {
        self.faults.contains(&Fault::Reboot(host))
    }
}
