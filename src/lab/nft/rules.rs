//! Tables, chains and rules as data.

use std::fmt;

/// A table for both families (`inet`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Table {
    pub(in crate::lab) name: &'static str,
    pub(in crate::lab) chains: Vec<Chain>,
}

/// A chain that sees packets at one place of their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Chain {
    pub(in crate::lab) name: &'static str,
    pub(in crate::lab) hook: Hook,
    /// For what no rule decides.
    pub(in crate::lab) policy: Verdict,
    pub(in crate::lab) rules: Vec<Rule>,
}

/// A place on a packet's way through a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum Hook {
    /// Between one interface and another.
    Forward,
}

/// What happens to packets that all matches are true of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Rule {
    pub(in crate::lab) matches: Vec<Match>,
    pub(in crate::lab) verdict: Verdict,
}

/// What can be asked of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) enum Match {
    /// Whether connection tracking has put it into one of these states. A rule with this match switches tracking on in its namespace
    /// (`nft_ct_get_init`).
    Tracked(Vec<State>),
}

/// What a packet is to connection tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum State {
    /// It belongs to a known flow.
    Established,
    /// It is about a known flow, as an ICMP error is.
    Related,
    /// It begins a flow.
    New,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum Verdict {
    Accept,
    /// In silence.
    Drop,
}

/// As `nft` writes it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Match::Tracked(states) in &self.matches {
            let states: Vec<&str> = states.iter().map(|state| state.name()).collect();
            write!(f, "ct state {} ", states.join(","))?;
        }
        f.write_str(match self.verdict {
            Verdict::Accept => "accept",
            Verdict::Drop => "drop",
        })
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Related => "related",
            Self::New => "new",
        }
    }
}
