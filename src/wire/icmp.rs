//! ICMP messages, with the names of RFC 792, RFC 1812 and RFC 4443.

use std::net::IpAddr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{SERVER_PORT, icmp_name};

/// One ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct IcmpMessage {
    /// The address of the sender.
    pub(crate) from: IpAddr,
    /// Type and code.
    pub(crate) kind: (u8, u8),
    /// The segment that an ICMP error quotes.
    pub(crate) quoted: Option<Quoted>,
}

/// The beginning of the segment that an ICMP error quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Quoted {
    /// The client's port.
    pub(crate) connection: u16,
    /// The sequence number of the segment.
    pub(crate) seq: u32,
}

impl IcmpMessage {
    /// Returns the name of the type and code, such as `host-unreachable`, or `type 3 code 99` if
    /// they have none.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        let (kind, code) = self.kind;
        icmp_name(self.from.is_ipv6(), self.kind)
            .map_or_else(|| format!("type {kind} code {code}"), str::to_owned)
    }

    /// Returns whether it is a message that every IPv6 host sends when it joins a network
    /// (multicast listener discovery, router discovery). These messages are not related to a
    /// connection.
    #[must_use]
    pub(crate) fn is_chatter(&self) -> bool {
        self.from.is_ipv6() && matches!(self.kind.0, 130..=134 | 143)
    }
}

/// Decodes the quoted segment. An ICMPv4 error quotes the IP header and at least eight bytes after
/// it (RFC 792): ports and sequence number.
pub(super) fn quoted_v4(payload: &[u8]) -> Option<Quoted> {
    let header = Ipv4HeaderSlice::from_slice(payload).ok()?;
    quoted_tcp(payload.get(header.slice().len()..)?)
}

/// Decodes the quoted segment. An ICMPv6 error quotes as much of the packet as fits (RFC 4443).
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
