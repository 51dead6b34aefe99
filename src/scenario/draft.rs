//! The draft of a file: values that are each valid by themselves, with their byte ranges. The
//! checks then examine each case as a whole. Parts of a draft may be absent, or invalid and
//! reported.

use std::ops::Range;
use std::rc::Rc;

use super::carried::Carried;
use crate::file::{At, Given, Reported};
use crate::model::{
    Connection, End, Expectation, Family, Firewall, Keepalive, Node, NodeSysctls, Topology,
    TrackingSeconds,
};
use crate::scenario::Clock;
use crate::setting::EndDraft;
use crate::step::Written;

/// The contents of a file.
pub(super) struct FileDraft {
    pub(super) summary: Result<At<String>, Reported>,
    pub(super) source: Given<String>,
    pub(super) clock: Given<Clock>,
    /// The tables of the file itself. In a file without `[[case]]`, this is its only case.
    pub(super) own: CaseDraft,
    pub(super) cases: Result<Vec<CaseDraft>, Reported>,
}

/// The contents of one case: its own tables, laid over the tables of the file.
pub(super) struct CaseDraft {
    /// `None` in a file without `[[case]]`.
    pub(super) block: Option<Block>,
    pub(super) slow: Given<bool>,
    pub(super) topology: TopologyDraft,
    pub(super) connection: ConnectionDraft,
    pub(super) steps: Steps,
    pub(super) expect: ExpectDraft,
}

/// The keys that only a `[[case]]` has.
pub(super) struct Block {
    /// The byte range of the header.
    pub(super) span: Range<usize>,
    pub(super) name: Result<At<String>, Reported>,
    pub(super) note: Given<String>,
}

/// The steps of a case: the steps of the file, followed by its own.
pub(super) struct Steps {
    pub(super) shared: Rc<[Result<Written, Reported>]>,
    pub(super) own: Vec<Result<Written, Reported>>,
}

pub(super) struct TopologyDraft {
    /// The byte range of the uppermost table.
    pub(super) span: Option<Range<usize>>,
    /// The network: a preset, or a graph of machines and links.
    pub(super) network: Given<Topology>,
    /// Whether the uppermost table gives the network.
    pub(super) has_own_network: bool,
    pub(super) families: Given<Vec<Carried>>,
    pub(super) firewall: Given<FirewallDraft>,
    pub(super) sysctl: Given<Vec<At<NodeSysctls>>>,
}

#[derive(Clone)]
pub(super) struct FirewallDraft {
    /// The router; may be absent if the topology has exactly one.
    pub(super) on: Option<At<Node>>,
    pub(super) established: Option<TrackingSeconds>,
    pub(super) loose: Option<bool>,
    pub(super) nat: Option<bool>,
}

pub(super) struct ConnectionDraft {
    pub(super) count: Given<u16>,
    pub(super) client: EndDraft,
    pub(super) server: EndDraft,
}

pub(super) struct ExpectDraft {
    /// The byte range of the uppermost table.
    pub(super) span: Option<Range<usize>>,
    pub(super) ipv4: FamilyExpectations,
    pub(super) ipv6: FamilyExpectations,
}

/// The expectations for connections over one family.
pub(super) struct FamilyExpectations {
    pub(super) client: Given<Rc<ExpectationDraft>>,
    pub(super) server: Given<Rc<ExpectationDraft>>,
    /// The table for this family alone, if the uppermost table has one: its byte range, and its
    /// expectations.
    pub(super) own: Option<At<Vec<At<Rc<ExpectationDraft>>>>>,
}

#[derive(Clone)]
pub(super) struct ExpectationDraft {
    pub(super) expectation: Expectation,
    pub(super) probes: Option<Range<usize>>,
    /// The machine that `icmp.from` names.
    pub(super) machine: Option<At<Node>>,
}

impl FirewallDraft {
    /// The firewall on this router. Absent keys have the kernel's defaults.
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

impl CaseDraft {
    /// The families that the networks of the case carry.
    pub(super) fn carried(&self) -> Result<&[Carried], Reported> {
        let families = self.topology.families.as_ref().map_err(|error| *error)?;
        Ok(families
            .as_ref()
            .map_or(&Carried::DEFAULT[..], |at| &at.value))
    }

    /// The steps of the case, in order.
    pub(super) fn steps(&self) -> impl DoubleEndedIterator<Item = Result<&Written, Reported>> {
        let steps = self.steps.shared.iter().chain(&self.steps.own);
        steps.map(|step| step.as_ref().map_err(|error| *error))
    }

    /// The expectation for an end of the connections over a family.
    pub(super) fn expectation(&self, end: End, family: Family) -> &Given<Rc<ExpectationDraft>> {
        let expected = self.expect.of(family);
        match end {
            End::Client => &expected.client,
            End::Server => &expected.server,
        }
    }

    /// The expectations for an end over all families of the case, without repetitions.
    pub(super) fn expectations(&self, end: End) -> Vec<&At<Rc<ExpectationDraft>>> {
        let carried = self.carried().unwrap_or_default().iter();
        let families = carried.flat_map(|carried| carried.families());
        let mut all: Vec<&At<Rc<ExpectationDraft>>> = families
            .filter_map(|family| self.expectation(end, family).as_ref().ok()?.as_ref())
            .collect();
        all.dedup_by_key(|at| at.span.start);
        all
    }

    /// The byte range of the `[[case]]` header.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.block.as_ref().map(|block| block.span.clone())
    }

    pub(super) fn end(&self, end: End) -> &EndDraft {
        match end {
            End::Client => &self.connection.client,
            End::Server => &self.connection.server,
        }
    }

    pub(super) fn keepalive(&self, end: End) -> Result<Option<Keepalive>, Reported> {
        self.end(end).keepalive()
    }

    pub(super) fn connection(&self) -> Result<Connection, Reported> {
        let count = self.connection.count.as_ref().map_err(|error| *error)?;
        Ok(Connection {
            count: count.as_ref().map_or(1, |at| at.value),
            client: self.connection.client.checked()?.clone(),
            server: self.connection.server.checked()?.clone(),
        })
    }
}

impl ExpectDraft {
    pub(super) fn of(&self, family: Family) -> &FamilyExpectations {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        }
    }
}
