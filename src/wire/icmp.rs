//! ICMP messages, by the names that RFC 792, RFC 1812 and RFC 4443 give them.

use std::net::IpAddr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::SERVER_PORT;

/// One ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IcmpMessage {
    /// Who sent it.
    pub from: IpAddr,
    /// Type and code.
    pub kind: (u8, u8),
    /// The segment that an error is about.
    pub quoted: Option<Quoted>,
}

/// The beginning of the segment that an ICMP error quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quoted {
    /// The client's port.
    pub connection: u16,
    /// Its sequence number.
    pub seq: u32,
}

/// ICMPv4: name, type, code.
const V4: [(&str, u8, u8); 20] = [
    ("net-unreachable", 3, 0),
    ("host-unreachable", 3, 1),
    ("protocol-unreachable", 3, 2),
    ("port-unreachable", 3, 3),
    ("fragmentation-needed", 3, 4),
    ("source-route-failed", 3, 5),
    ("net-unknown", 3, 6),
    ("host-unknown", 3, 7),
    ("host-isolated", 3, 8),
    ("net-prohibited", 3, 9),
    ("host-prohibited", 3, 10),
    ("net-unreachable-for-tos", 3, 11),
    ("host-unreachable-for-tos", 3, 12),
    ("communication-prohibited", 3, 13),
    ("redirect-net", 5, 0),
    ("redirect-host", 5, 1),
    ("ttl-exceeded", 11, 0),
    ("parameter-problem", 12, 0),
    ("echo-request", 8, 0),
    ("echo-reply", 0, 0),
];

/// ICMPv6: name, type, code.
const V6: [(&str, u8, u8); 17] = [
    ("no-route", 1, 0),
    ("communication-prohibited", 1, 1),
    ("beyond-scope", 1, 2),
    ("address-unreachable", 1, 3),
    ("port-unreachable", 1, 4),
    ("policy-failed", 1, 5),
    ("reject-route", 1, 6),
    ("packet-too-big", 2, 0),
    ("ttl-exceeded", 3, 0),
    ("parameter-problem", 4, 0),
    ("echo-request", 128, 0),
    ("echo-reply", 129, 0),
    ("router-solicitation", 133, 0),
    ("router-advertisement", 134, 0),
    ("redirect", 137, 0),
    ("multicast-listener-report", 143, 0),
    ("multicast-listener-query", 130, 0),
];

impl IcmpMessage {
    /// The name of its type and code, `host-unreachable`; `type 3 code 99` where it has none.
    #[must_use]
    pub fn name(&self) -> String {
        let (kind, code) = self.kind;
        name(self.from.is_ipv6(), self.kind)
            .map_or_else(|| format!("type {kind} code {code}"), str::to_owned)
    }

    /// Whether it is what every IPv6 host says when it joins a network, which has nothing to do with a connection.
    #[must_use]
    pub fn is_chatter(&self) -> bool {
        self.from.is_ipv6() && matches!(self.kind.0, 130..=134 | 143)
    }
}

/// The name of a type and code.
#[must_use]
pub fn name(is_ipv6: bool, (kind, code): (u8, u8)) -> Option<&'static str> {
    let mut known = names(is_ipv6).iter();
    let found = known.find(|(_, a, b)| (*a, *b) == (kind, code));
    found.map(|(name, ..)| *name)
}

/// The names of ICMP or ICMPv6 with their types and codes.
#[must_use]
pub fn names(is_ipv6: bool) -> &'static [(&'static str, u8, u8)] {
    if is_ipv6 { &V6 } else { &V4 }
}

/// An ICMPv4 error quotes the IP header and at least eight bytes behind it (RFC 792): ports and sequence number.
pub(super) fn quoted_v4(payload: &[u8]) -> Option<Quoted> {
    let header = Ipv4HeaderSlice::from_slice(payload).ok()?;
    quoted_tcp(payload.get(header.slice().len()..)?)
}

/// An ICMPv6 error quotes as much as fits (RFC 4443).
pub(super) fn quoted_v6(payload: &[u8]) -> Option<Quoted> {
    Ipv6HeaderSlice::from_slice(payload).ok()?;
    quoted_tcp(payload.get(etherparse::Ipv6Header::LEN..)?)
}

fn quoted_tcp(segment: &[u8]) -> Option<Quoted> {
    let word = |at: usize| {
        Some(u16::from_be_bytes(
            segment.get(at..at + 2)?.try_into().ok()?,
        ))
    };
    let connection = match (word(0)?, word(2)?) {
        (SERVER_PORT, client) | (client, SERVER_PORT) => client,
        _ => return None,
    };
    let seq = u32::from_be_bytes(segment.get(4..8)?.try_into().ok()?);
    Some(Quoted { connection, seq })
}
