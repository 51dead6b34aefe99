//! Tables, chains and rules as data.

use std::fmt;

use crate::lab::error::Feature;
use crate::model::Family;

/// A table with its chains and rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Table {
    pub(in crate::lab) name: &'static str,
    pub(in crate::lab) family: TableFamily,
    /// The feature that is missing if the kernel does not support the table.
    pub(in crate::lab) needs: Feature,
    pub(in crate::lab) chains: Vec<Chain>,
}

/// The kind of packets that a table processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum TableFamily {
    /// IPv4 and IPv6.
    Inet,
    /// All packets that enter or leave through an interface, including a port of a switch.
    Netdev,
}

/// A chain of rules for packets at one hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Chain {
    pub(in crate::lab) name: &'static str,
    /// `None`: the chain processes only packets that another chain sends to it.
    pub(in crate::lab) hook: Option<Hook>,
    /// The verdict on packets for which no rule has one.
    pub(in crate::lab) policy: RuleVerdict,
    pub(in crate::lab) rules: Vec<Rule>,
}

/// A place on a packet's path through a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) enum Hook {
    /// Packets that the host forwards between two interfaces.
    Forward,
    /// Packets that the host itself sends.
    Output,
    /// Outgoing packets, where the first packet of a flow can give the flow another source address.
    SourceNat,
    /// Packets that arrive at one of these interfaces, before anything except a capture sees them.
    Ingress(Vec<String>),
    /// Packets that leave through one of these interfaces, before its queue and a capture see them.
    Egress(Vec<String>),
}

/// A verdict on the packets for which all matches are true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Rule {
    pub(in crate::lab) matches: Vec<Match>,
    pub(in crate::lab) verdict: RuleVerdict,
}

/// A condition on a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) enum Match {
    /// Connection tracking has put the packet into one of these states. A rule with this match
    /// enables connection tracking in its namespace (`nft_ct_get_init`).
    Tracked(Vec<State>),
    /// The packet belongs to this address family. This works in every table. It is the only way to
    /// match the family in a netdev table (`NFT_META_PROTOCOL`).
    Family(Family),
    /// The protocol inside IP, after any IPv6 extension headers.
    Protocol(u8),
    /// The index of the interface through which the packet leaves.
    Leaves(u32),
    /// Masked bytes of a header.
    Bytes(Bytes),
    /// The number of the packet, counted from 0 and modulo `modulus`, is one of `numbers`. The
    /// count starts when the rule is created (`nft_ng_inc_init`) and increases with each packet
    /// that reaches this match.
    Numbered { modulus: u32, numbers: Vec<u32> },
}

/// Bytes of a header, at most four, that are compared after masking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) struct Bytes {
    pub(in crate::lab) header: Header,
    pub(in crate::lab) offset: u32,
    pub(in crate::lab) mask: Vec<u8>,
    pub(in crate::lab) value: Vec<u8>,
}

/// The header at which the offset starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum Header {
    /// IP.
    Network,
    /// TCP, ICMP.
    Transport,
}

/// The state of a packet in connection tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum State {
    /// The packet belongs to a known flow.
    Established,
    /// The packet is about a known flow, such as an ICMP error.
    Related,
    /// The packet starts a flow.
    New,
}

/// The action on a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum RuleVerdict {
    Accept,
    /// The packet is dropped without an answer.
    Drop,
    /// The packet is dropped, and its sender receives a RST.
    RejectRst,
    /// The packet is dropped, and its sender receives an ICMP destination unreachable of the
    /// packet's own family, with this code.
    RejectIcmp(u8),
    /// The flow gets the address of the interface through which it leaves.
    Masquerade,
    /// Processing continues in this chain.
    Jump(&'static str),
    /// Processing continues in the calling chain.
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
