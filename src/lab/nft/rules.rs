//! Tables, chains and rules as data.

use std::fmt;

use crate::lab::error::Feature;
use crate::model::Family;

/// A table with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Table {
    pub(in crate::lab) name: &'static str,
    pub(in crate::lab) family: TableFamily,
    /// What a kernel lacks that refuses it.
    pub(in crate::lab) needs: Feature,
    pub(in crate::lab) chains: Vec<Chain>,
}

/// Which packets a table can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum TableFamily {
    /// IPv4 and IPv6.
    Inet,
    /// Whatever comes or goes through an interface, a switch's port too.
    Netdev,
}

/// A chain that sees packets at one place of their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Chain {
    pub(in crate::lab) name: &'static str,
    /// `None`: only what another chain sends here.
    pub(in crate::lab) hook: Option<Hook>,
    /// For what no rule decides.
    pub(in crate::lab) policy: RuleVerdict,
    pub(in crate::lab) rules: Vec<Rule>,
}

/// A place on a packet's way through a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) enum Hook {
    /// Between one interface and another.
    Forward,
    /// From the host itself.
    Output,
    /// Where a flow is given another source address, as its first packet leaves.
    SourceNat,
    /// At one of these interfaces, before anything but a capture has seen it.
    Ingress(Vec<String>),
    /// At one of these interfaces, before its queue and a capture have seen it.
    Egress(Vec<String>),
}

/// What happens to packets that all matches are true of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Rule {
    pub(in crate::lab) matches: Vec<Match>,
    pub(in crate::lab) verdict: RuleVerdict,
}

/// What can be asked of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) enum Match {
    /// Whether connection tracking has put it into one of these states. A rule with this match
    /// switches tracking on in its namespace (`nft_ct_get_init`).
    Tracked(Vec<State>),
    /// The packet is of this family, wherever a table looks at it: of a netdev table's packets
    /// nothing else tells (`NFT_META_PROTOCOL`).
    Family(Family),
    /// The protocol inside IP, whatever IPv6 puts before it.
    Protocol(u8),
    /// The interface by which it leaves, by its index.
    Leaves(u32),
    /// Bytes of a header, masked.
    Bytes(Bytes),
    /// The packet's number among those that have come so far, from 0, modulo `modulus`, is one of
    /// these. The count begins when the rule does (`nft_ng_inc_init`) and rises with each
    /// packet that reaches this match.
    Numbered { modulus: u32, numbers: Vec<u32> },
}

/// Bytes of a header that are compared once they have been masked; at most four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Bytes {
    pub(in crate::lab) header: Header,
    pub(in crate::lab) offset: u32,
    pub(in crate::lab) mask: Vec<u8>,
    pub(in crate::lab) value: Vec<u8>,
}

/// Where a header begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum Header {
    /// IP.
    Network,
    /// TCP, ICMP.
    Transport,
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
pub(in crate::lab) enum RuleVerdict {
    Accept,
    /// In silence.
    Drop,
    /// Dropped, and its sender gets a RST.
    RejectRst,
    /// Dropped, and its sender gets destination unreachable with this code, of its own family.
    RejectIcmp(u8),
    /// Its flow gets the address of the interface by which it leaves.
    Masquerade,
    /// This chain goes on.
    Jump(&'static str),
    /// The chain before goes on.
    Return,
}

/// As `nft` writes it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for matched in &self.matches {
            write!(f, "{matched} ")?;
        }
        match self.verdict {
            RuleVerdict::Accept => f.write_str("accept"),
            RuleVerdict::Drop => f.write_str("drop"),
            RuleVerdict::RejectRst => f.write_str("reject with tcp reset"),
            RuleVerdict::RejectIcmp(code) => write!(f, "reject with icmp code {code}"),
            RuleVerdict::Masquerade => f.write_str("masquerade"),
            RuleVerdict::Jump(chain) => write!(f, "jump {chain}"),
            RuleVerdict::Return => f.write_str("return"),
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracked(states) => {
                let states: Vec<&str> = states.iter().map(|state| state.name()).collect();
                write!(f, "ct state {}", states.join(","))
            }
            Self::Family(family) => f.write_str(match family {
                Family::Ipv4 => "meta protocol ip",
                Family::Ipv6 => "meta protocol ip6",
            }),
            Self::Protocol(protocol) => write!(f, "meta l4proto {protocol}"),
            Self::Leaves(index) => write!(f, "oif {index}"),
            Self::Bytes(bytes) => {
                let header = match bytes.header {
                    Header::Network => "nh",
                    Header::Transport => "th",
                };
                let (offset, length) = (bytes.offset * 8, bytes.value.len() * 8);
                let (mask, value) = (hex::encode(&bytes.mask), hex::encode(&bytes.value));
                write!(f, "@{header},{offset},{length} & 0x{mask} == 0x{value}")
            }
            Self::Numbered { modulus, numbers } => {
                let count = numbers.len();
                write!(f, "numgen inc mod {modulus} in a set of {count}")
            }
        }
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
