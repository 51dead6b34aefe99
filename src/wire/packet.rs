//! Decodes the bytes of a frame.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    ArpOperation, ArpPacketSlice, LaxNetSlice, LaxSlicedPacket, TcpOptionElement, TcpSlice,
    TransportSlice,
};

use super::icmp::{self, IcmpMessage};
use super::segment::{Flags, Segment};
use crate::model::SERVER_PORT;
use crate::wire::Frame;

/// The decoded content of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    /// A segment of one of the case's connections.
    Tcp(Segment),
    /// A request for a neighbour's hardware address, or the reply: ARP (RFC 826), NDP (RFC 4861).
    Neighbour(Neighbouring),
    /// Any other ICMP message.
    Icmp(IcmpMessage),
    /// Anything else.
    Other,
}

/// One message of ARP or NDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Neighbouring {
    /// ARP request or neighbour solicitation: who has the target?
    Request {
        /// The address of the sender.
        sender: IpAddr,
        /// The address to resolve.
        target: IpAddr,
    },
    /// ARP reply or neighbour advertisement: the target is here.
    Reply {
        /// The resolved address.
        target: IpAddr,
    },
}

impl Packet {
    /// Decodes a frame. Lengths come from the IP header, so they are correct for a truncated frame
    /// too.
    #[must_use]
    pub(crate) fn of(frame: &Frame) -> Self {
        let Ok(packet) = LaxSlicedPacket::from_ethernet(&frame.bytes) else {
            return Self::Other;
        };
        let (from, length) = match &packet.net {
            Some(LaxNetSlice::Arp(arp)) => return arp_message(arp),
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = u32::from(ip.header().ihl()) * 4;
                let total = u32::from(ip.header().total_len());
                (
                    IpAddr::V4(ip.header().source_addr()),
                    total.saturating_sub(header),
                )
            }
            Some(LaxNetSlice::Ipv6(ip)) => (
                IpAddr::V6(ip.header().source_addr()),
                u32::from(ip.header().payload_length()),
            ),
            None => return Self::Other,
        };
        match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                segment(frame, tcp, length).map_or(Self::Other, Self::Tcp)
            }
            Some(TransportSlice::Icmpv4(message)) => {
                let quoted = icmp::quoted_v4(message.payload());
                Self::Icmp(IcmpMessage {
                    from,
                    kind: (message.type_u8(), message.code_u8()),
                    quoted,
                })
            }
            Some(TransportSlice::Icmpv6(message)) => {
                let kind = (message.type_u8(), message.code_u8());
                ndp_message(from, kind.0, message.slice())
                    .map_or_else(|| icmp_v6(from, kind, message.payload()), Self::Neighbour)
            }
            _ => Self::Other,
        }
    }

    /// Returns the destination address of the frame's IP packet, or `None` if the frame does not
    /// contain one.
    #[must_use]
    pub(crate) fn destination(frame: &Frame) -> Option<IpAddr> {
        let packet = LaxSlicedPacket::from_ethernet(&frame.bytes).ok()?;
        match &packet.net {
            Some(LaxNetSlice::Ipv4(ip)) => Some(ip.header().destination_addr().into()),
            Some(LaxNetSlice::Ipv6(ip)) => Some(ip.header().destination_addr().into()),
            Some(LaxNetSlice::Arp(_)) | None => None,
        }
    }
}

fn segment(frame: &Frame, tcp: &TcpSlice<'_>, length: u32) -> Option<Segment> {
    let connection = match (tcp.source_port(), tcp.destination_port()) {
        (SERVER_PORT, client) | (client, SERVER_PORT) => client,
        _ => return None,
    };
    Some(Segment {
        at: frame.at,
        direction: frame.direction,
        connection,
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        len: length.saturating_sub(u32::from(tcp.data_offset()) * 4),
        window: tcp.window_size(),
        timestamp: tcp.options_iterator().find_map(|option| match option {
            Ok(TcpOptionElement::Timestamp(value, _)) => Some(value),
            Ok(_) | Err(_) => None,
        }),
        flags: Flags {
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            ack: tcp.ack(),
        },
    })
}

fn icmp_v6(from: IpAddr, kind: (u8, u8), payload: &[u8]) -> Packet {
    Packet::Icmp(IcmpMessage {
        from,
        kind,
        quoted: icmp::quoted_v6(payload),
    })
}

fn arp_message(arp: &ArpPacketSlice<'_>) -> Packet {
    let address = |bytes: &[u8]| {
        let octets: Result<[u8; 4], _> = bytes.try_into();
        octets.ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets)))
    };
    let (sender, target) = (
        address(arp.sender_protocol_addr()),
        address(arp.target_protocol_addr()),
    );
    match (arp.operation(), sender, target) {
        (ArpOperation::REQUEST, Some(sender), Some(target)) => {
            Packet::Neighbour(Neighbouring::Request { sender, target })
        }
        (ArpOperation::REPLY, Some(target), _) => Packet::Neighbour(Neighbouring::Reply { target }),
        _ => Packet::Other,
    }
}

/// Decodes a neighbour solicitation or advertisement. The target address follows the type, the
/// code, the checksum and four more bytes (RFC 4861 sections 4.3 and 4.4).
fn ndp_message(sender: IpAddr, kind: u8, message: &[u8]) -> Option<Neighbouring> {
    let target: [u8; 16] = message.get(8..24)?.try_into().ok()?;
    let target = IpAddr::V6(Ipv6Addr::from(target));
    match kind {
        135 => Some(Neighbouring::Request { sender, target }),
        136 => Some(Neighbouring::Reply { target }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
