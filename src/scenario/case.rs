//! The checked scenario: the contents of a valid file.
//!
//! The types make an illegal state unrepresentable (a probe count is 1..=127, an interval is a
//! whole number of seconds that the kernel accepts), so later code does not validate again.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::display::display_as;
use crate::model::{Connection, Expectations, Family, Firewall, NodeSysctls, Stack, Topology};
use crate::step::Step;

/// One scenario file: its cases, expanded by address family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// The path of the file, as the user gave it.
    pub path: PathBuf,
    /// The text of the file, for messages that quote it.
    pub text: String,
    /// One line: what the file shows.
    pub summary: String,
    /// The source of the claim (a book's chapter, an RFC, an issue).
    pub source: Option<String>,
    /// At least one; names are unique within the file.
    pub cases: Vec<Case>,
}

/// One case, which has one verdict: one topology, one family, one list of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// `file-stem/case/family`, or `file-stem/family` if the file has no `[[case]]`. In a
    /// dual-stack network, the family is `dual-ipv4` or `dual-ipv6`.
    pub id: CaseId,
    /// The line (from 1) in the file where the case begins, for messages.
    pub line: usize,
    /// The author's note: how this case differs from another one, and why.
    pub note: Option<String>,
    /// The clock that the case can run on.
    pub clock: Clock,
    /// The address family of the connection.
    pub family: Family,
    /// Whether the network carries only that family, or both.
    #[serde(default)]
    pub stack: Stack,
    /// The network that is built.
    pub topology: Topology,
    /// The firewall of a router; only in a topology with a router.
    pub firewall: Option<Firewall>,
    /// The sysctls of the machines between the ends.
    pub sysctl: Vec<NodeSysctls>,
    /// The connection that is opened across the network.
    pub connection: Connection,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The expected results of each end.
    pub expect: Expectations,
}

/// The name of a case, unique among all cases that a run loads.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct CaseId(pub String);

/// The clock that a case can run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Real time, or the virtual time of a guest.
    Any,
    /// The same, but in real time only on request: the case takes longer than about 20 s.
    Slow,
    /// Virtual time only, which skips idle hours.
    Virtual,
}

impl CaseId {
    /// The name without the family: the common part of the names of a case's variants.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(stem, _)| stem)
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

display_as!(Clock { Clock::Any => "any", Clock::Slow => "slow", Clock::Virtual => "virtual" });
