//! Frames at a host's interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Family, Moment};
use crate::wire::Direction;

/// One frame on Ethernet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// The kernel's timestamp.
    pub(crate) at: Moment,
    /// Sent or received.
    pub(crate) direction: Direction,
    /// Whether the frame arrived at the interface but did not reach the host's TCP, because the
    /// host was in a blackout or did not have its address.
    pub(crate) unheard: bool,
    /// The length of the frame, in bytes; `bytes` may be shorter.
    pub(crate) length: u32,
    /// The beginning of the frame, in hexadecimal.
    #[serde(with = "hex::serde")]
    #[schemars(with = "String")]
    pub(crate) bytes: Vec<u8>,
}

/// The position of the EtherType in a frame.
const ETHER_TYPE: std::ops::Range<usize> = 12..14;
/// The EtherType of IPv6 (RFC 2464).
const IPV6: [u8; 2] = [0x86, 0xdd];

impl Frame {
    /// Returns the address family of the frame. ARP belongs to IPv4. NDP is a part of IPv6.
    #[must_use]
    pub fn family(&self) -> Family {
        if self.bytes.get(ETHER_TYPE) == Some(&IPV6[..]) {
            Family::Ipv6
        } else {
            Family::Ipv4
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arp_belongs_to_ipv4() {
        let family = |kind: [u8; 2]| {
            let frame = Frame {
                at: Moment::from_nanos(0),
                direction: Direction::In,
                unheard: false,
                length: 60,
                bytes: [&[0; 12][..], &kind].concat(),
            };
            frame.family()
        };
        let kinds = [[0x08, 0x00], [0x08, 0x06], [0x86, 0xdd]];
        let [ip, arp, ipv6] = kinds.map(family);
        assert_eq!([ip, arp, ipv6], [Family::Ipv4, Family::Ipv4, Family::Ipv6]);
    }
}
