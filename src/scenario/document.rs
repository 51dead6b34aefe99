//! A file as it is written: each value sound by itself, with its place, before the cases are laid over the file's own tables.

use std::ops::Range;
use std::time::Duration;

use crate::file::{At, Given, Reported};
use crate::model::{
    BufferSize, End, Expectation, Family, Firewall, Keepalive, Linger, Node, NodeSysctls, Sysctl,
    Topology, TrackingSeconds,
};
use crate::scenario::Clock;
use crate::scenario::carried::Carried;
use crate::step::Written;

pub(super) struct Document {
    pub(super) summary: Result<At<String>, Reported>,
    pub(super) source: Given<String>,
    pub(super) clock: Given<Clock>,
    pub(super) slow: Given<bool>,
    pub(super) body: Body,
    pub(super) cases: Result<Vec<CaseBlock>, Reported>,
}

/// A `[[case]]`.
pub(super) struct CaseBlock {
    /// Its header.
    pub(super) span: Range<usize>,
    pub(super) name: Result<At<String>, Reported>,
    pub(super) note: Given<String>,
    pub(super) slow: Given<bool>,
    pub(super) body: Body,
}

/// What both a file and each of its cases have.
pub(super) struct Body {
    pub(super) topology: Given<TopologyPart>,
    pub(super) connection: Given<ConnectionPart>,
    pub(super) steps: Result<Vec<Result<Written, Reported>>, Reported>,
    pub(super) expect: Given<ExpectPart>,
}

/// What a case gives that has nothing but a name, or that a file without cases is.
pub(super) static EMPTY: Body = Body {
    topology: Ok(None),
    connection: Ok(None),
    steps: Ok(Vec::new()),
    expect: Ok(None),
};

pub(super) struct TopologyPart {
    /// A preset, or what is spelled out.
    pub(super) network: Given<Topology>,
    pub(super) families: Given<Vec<Carried>>,
    pub(super) firewall: Given<FirewallPart>,
    pub(super) sysctl: Given<Vec<At<NodeSysctls>>>,
}

pub(super) struct FirewallPart {
    /// Where; may be left out where there is one router.
    pub(super) on: Option<At<Node>>,
    pub(super) established: Option<TrackingSeconds>,
    pub(super) loose: Option<bool>,
    pub(super) nat: Option<bool>,
}

impl FirewallPart {
    /// On this router, with the kernel's own settings where nothing else is given.
    pub(super) fn at(&self, on: Node) -> Firewall {
        let kernels = Firewall::new(on);
        Firewall {
            on,
            established: self.established.unwrap_or(kernels.established),
            loose: self.loose.unwrap_or(kernels.loose),
            nat: self.nat.unwrap_or(kernels.nat),
        }
    }
}

pub(super) struct ConnectionPart {
    pub(super) count: Given<u16>,
    pub(super) client: Given<EndPart>,
    pub(super) server: Given<EndPart>,
}

pub(super) struct EndPart {
    pub(super) keepalive: Given<Keepalive>,
    pub(super) user_timeout: Given<Duration>,
    pub(super) syn_retries: Given<u8>,
    pub(super) rto_max: Given<Duration>,
    pub(super) recverr: Given<bool>,
    pub(super) nodelay: Given<bool>,
    pub(super) send_buffer: Given<BufferSize>,
    pub(super) receive_buffer: Given<BufferSize>,
    pub(super) linger: Given<Linger>,
    pub(super) sysctl: Given<Vec<Sysctl>>,
}

pub(super) struct ExpectPart {
    /// Of each connection,
    pub(super) each: EndsPart,
    /// but for those over a family of which something of its own is expected.
    pub(super) ipv4: Given<EndsPart>,
    pub(super) ipv6: Given<EndsPart>,
}

impl ExpectPart {
    pub(super) fn of(&self, family: Family) -> &Given<EndsPart> {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        }
    }
}

pub(super) struct EndsPart {
    pub(super) client: Given<ExpectationPart>,
    pub(super) server: Given<ExpectationPart>,
}

impl EndsPart {
    pub(super) fn end(&self, end: End) -> &Given<ExpectationPart> {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }
}

pub(super) struct ExpectationPart {
    pub(super) expectation: Expectation,
    pub(super) probes: Option<Range<usize>>,
    /// The machine that it names.
    pub(super) machine: Option<At<Node>>,
}
