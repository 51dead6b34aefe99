//! Frames at a host's interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Family, Moment};
use crate::wire::Direction;

/// One frame on Ethernet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// The kernel's timestamp.
    pub at: Moment,
    /// Sent or received.
    pub direction: Direction,
    /// Whether it reached an interface whose host was silent, and so was never heard.
    pub unheard: bool,
    /// How long it was; the bytes may be fewer.
    pub length: u32,
    /// Its beginning, in hexadecimal.
    #[serde(with = "hex::serde")]
    #[schemars(with = "String")]
    pub bytes: Vec<u8>,
}

/// Where a frame says what it carries, and that this is IPv6 (RFC 2464).
const ETHER_TYPE: std::ops::Range<usize> = 12..14;
const IPV6: [u8; 2] = [0x86, 0xdd];

impl Frame {
    /// Which family it is of; ARP is IPv4's, and NDP is IPv6 itself.
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
    fn arp_is_of_ipv4_and_all_of_ipv6_is_of_ipv6() {
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
