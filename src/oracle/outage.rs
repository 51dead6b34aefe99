//! What can be broken, and for how long: data.
//!
//! All times count from the last segment that the observed end received before the outage, because
//! that is what the kernel counts from; each is a span, because steps take time and timers are
//! late.

use super::interval::Interval;
use crate::model::{End, Filter, FilterVerdict, Node, RouteChange};

/// Something that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The cable of this end's host is out.
    Cable(End),
    /// A machine's interface on a link of the way is down.
    Link(Node, Node),
    /// This end's host is silent, with its carrier up.
    Crash(End),
    /// This end's host has lost its sockets and is silent until it is back.
    Reboot(End),
    /// A node's route towards an end is not what it was.
    Route(Node, End, RouteChange),
    /// The router's firewall has forgotten the flow.
    Forgotten,
    /// A step has made it forget every flow.
    Flushed,
    /// A router filters every segment.
    Filtered(Filter),
    /// A box on the way loses every segment to this end.
    Lost(End),
    /// A node sends every packet on the way to this end to a hardware address that nobody has.
    Misdirected(Node, End),
    /// This end's host has no address, and neither takes what is for it nor answers for it.
    Unaddressed(End),
    /// The router forwards nothing, and tells nobody.
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

    /// Whether it takes the carrier of this end's host, or its interface down.
    #[must_use]
    pub(crate) fn is_at_cable(self, end: End) -> bool {
        match self {
            Self::Cable(at) => at == end,
            Self::Link(at, to) => [at, to].contains(&end.node()),
            _ => false,
        }
    }
}

/// A time within an outage at which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathReturn {
    /// From the last received segment.
    pub at: Interval,
    /// Right after this many probes of the observed end, where the step waited for them.
    pub after_probes: Option<u32>,
}

/// Data that the observed end wrote into an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// When, from the last received segment.
    pub at: Interval,
    /// How much.
    pub bytes: u32,
}

/// One time during which segments are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outage {
    /// What was broken, in order; nothing is taken out.
    pub faults: Vec<Fault>,
    /// When it began, from the last received segment.
    pub begins: Interval,
    /// How long the connection had been established when it began.
    pub age: Interval,
    /// When the path was whole again; `None`: never.
    pub back: Option<PathReturn>,
    /// What the observed end wrote meanwhile.
    pub written: Option<Written>,
    /// Whether the other end wrote meanwhile.
    pub peer_wrote: bool,
    /// Whether probes may have been answered before, so that the timer may be waiting for the
    /// interval instead of the idle time.
    pub probed: bool,
}

impl Outage {
    /// Whether segments to this end are lost.
    #[must_use]
    pub(crate) fn blocks(&self, to: End) -> bool {
        self.faults.iter().any(|fault| fault.blocks(to))
    }

    /// Whether a router answers what is sent to this end with a RST in its name.
    #[must_use]
    pub(crate) fn resets(&self, to: End) -> bool {
        let resets = |fault: &Fault| {
            let rst = FilterVerdict::Rst;
            matches!(fault, Fault::Filtered(filter) if filter.verdict == rst) && fault.blocks(to)
        };
        self.faults.iter().any(resets)
    }

    /// The fault, if there is just one.
    #[must_use]
    pub(crate) fn only_fault(&self) -> Option<Fault> {
        match self.faults[..] {
            [fault] => Some(fault),
            _ => None,
        }
    }

    /// Whether the host across has lost its sockets.
    #[must_use]
    pub(crate) fn forgets(&self, host: End) -> bool {
        self.faults.contains(&Fault::Reboot(host))
    }
}
