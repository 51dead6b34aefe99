//! The checked scenario: the meaning of a valid file.
//!
//! Every type here makes an illegal state unrepresentable (a probe count is 1..=127, an interval is
//! a whole number of seconds that the kernel takes), so nothing behind this module validates again.

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
    /// The file, as the user named it.
    pub path: PathBuf,
    /// What it says, for messages that point into it.
    pub text: String,
    /// One line: what a person learns from it.
    pub summary: String,
    /// Where the claim comes from (a book's chapter, an RFC, an issue).
    pub source: Option<String>,
    /// At least one; names are unique within the file.
    pub cases: Vec<Case>,
}

/// One verdict: one topology, one family, one list of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// `file-stem/case/family`, or `file-stem/family` where the file has no `[[case]]`;
    /// `dual-ipv6` in a network that carries both.
    pub id: CaseId,
    /// Line (from 1) in the file where the case begins, for messages.
    pub line: usize,
    /// Where this case differs from another and why, in the author's words.
    pub note: Option<String>,
    /// Where it can run.
    pub clock: Clock,
    /// What the connection runs over: IPv4 or IPv6.
    pub family: Family,
    /// Whether its network carries that alone.
    #[serde(default)]
    pub stack: Stack,
    /// The network that is built.
    pub topology: Topology,
    /// What a router lets through; only where the topology has one.
    pub firewall: Option<Firewall>,
    /// Settings of the machines between the ends.
    pub sysctl: Vec<NodeSysctls>,
    /// The connection that is opened across it.
    pub connection: Connection,
    /// What happens to it, in order.
    pub steps: Vec<Step>,
    /// What must come out.
    pub expect: Expectations,
}

/// A case's name within everything that a run loads.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct CaseId(pub String);

/// Whose time a case can be run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The clock on the wall, or a guest's.
    Any,
    /// The clock on the wall as well, by who has the time: what takes longer than about 20 s.
    Slow,
    /// Only one that leaps over idle hours.
    Virtual,
}

impl CaseId {
    /// Without the family: what the variants of a case have in common.
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
