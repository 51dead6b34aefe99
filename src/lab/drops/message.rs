//! The messages of the drop monitor (`include/uapi/linux/net_dropmon.h`), which are messages of
//! generic netlink. Pure.

use std::time::Duration;

use rtnetlink::packet_core::{
    DecodeError, DefaultNla, Emitable, NLM_F_ACK, NLM_F_REQUEST, NetlinkBuffer, NlasIterator,
};

/// The length of `struct genlmsghdr`: the command, the family's version, two reserved bytes.
const GENERIC: usize = 4;
/// The length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// The controller family, which resolves the names of families, with its command and attributes
/// (`include/uapi/linux/genetlink.h`).
const CONTROLLER: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const CONFIG: u8 = 2;
const START: u8 = 3;
const PACKET_ALERT: u8 = 5;

const ALERT_MODE: u16 = 1;
const SYMBOL: u16 = 3;
const IN_PORT: u16 = 4;
const TIMESTAMP: u16 = 5;
const PAYLOAD: u16 = 7;
const TRUNC_LEN: u16 = 9;
const ORIG_LEN: u16 = 11;
const SW_DROPS: u16 = 20;
const REASON: u16 = 23;

/// `NET_DM_ALERT_MODE_PACKET`: one alert for each packet.
const EACH_PACKET: u8 = 1;
/// In `IN_PORT`: the link index (`NET_DM_ATTR_PORT_NETDEV_IFINDEX`).
const PORT_INDEX: u16 = 0;

/// The number of bytes of each packet in an alert: enough for all headers, including those inside
/// an ICMP error.
const SHOWN: u32 = 128;

/// The multicast group of the alerts (`NET_DM_GRP_ALERT`). The kernel reserves this group number
/// for this family.
pub(super) const ALERTS: u32 = 1;

/// The kernel's report of a dropped packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Alert {
    /// `CLOCK_REALTIME`.
    pub(super) at: Duration,
    /// The index of the link at which the packet arrived; zero if the machine itself sent it.
    pub(super) link: u32,
    pub(super) reason: String,
    pub(super) function: String,
    pub(super) length: u32,
    pub(super) bytes: Vec<u8>,
}

/// Returns the request for the numeric id of the family.
pub(super) fn find_family() -> Vec<u8> {
    request(
        CONTROLLER,
        GET_FAMILY,
        &[attribute(FAMILY_NAME, b"NET_DM\0")],
    )
}

/// Decodes the id of the family from the answer.
pub(super) fn family(datagram: &[u8]) -> Option<u16> {
    let message = NetlinkBuffer::new_checked(datagram).ok()?;
    let attributes = message.payload().get(GENERIC..)?.to_vec();
    let id = find(&attributes, FAMILY_ID)?;
    Some(u16::from_ne_bytes(id.try_into().ok()?))
}

/// Returns the request to report each dropped packet, with its first [`SHOWN`] bytes.
pub(super) fn configure(family: u16) -> Vec<u8> {
    let attributes = [
        attribute(ALERT_MODE, &[EACH_PACKET]),
        attribute(TRUNC_LEN, &SHOWN.to_ne_bytes()),
    ];
    request(family, CONFIG, &attributes)
}

pub(super) fn start(family: u16) -> Vec<u8> {
    request(family, START, &[attribute(SW_DROPS, &[])])
}

fn attribute(kind: u16, value: &[u8]) -> DefaultNla {
    DefaultNla::new(kind, value.to_vec())
}

fn request(family: u16, command: u8, attributes: &[DefaultNla]) -> Vec<u8> {
    let length = HEADER + GENERIC + attributes.iter().map(Emitable::buffer_len).sum::<usize>();
    let mut bytes = vec![0; length];
    let mut message = NetlinkBuffer::new(&mut bytes);
    message.set_length(u32::try_from(length).unwrap_or(u32::MAX));
    message.set_message_type(family);
    message.set_flags(NLM_F_REQUEST | NLM_F_ACK);
    let payload = message.payload_mut();
    payload[0] = command;
    let mut rest = &mut payload[GENERIC..];
    for attribute in attributes {
        let (here, next) = rest.split_at_mut(attribute.buffer_len());
        attribute.emit(here);
        rest = next;
    }
    bytes
}

/// Decodes a datagram. Returns `None` if it is not an alert of the family.
pub(super) fn alert(datagram: &[u8], family: u16) -> Result<Option<Alert>, DecodeError> {
    let message = NetlinkBuffer::new_checked(datagram)?;
    let payload = message.payload();
    if message.message_type() != family || payload.first() != Some(&PACKET_ALERT) {
        return Ok(None);
    }
    let mut alert = Alert::default();
    for attribute in NlasIterator::new(payload.get(GENERIC..).unwrap_or_default()) {
        let attribute = attribute?;
        let value = attribute.value();
        match attribute.kind() {
            TIMESTAMP => alert.at = Duration::from_nanos(number(value)),
            SYMBOL => alert.function = function(&text(value)),
            REASON => alert.reason = text(value),
            ORIG_LEN => alert.length = u32::try_from(number(value)).unwrap_or(u32::MAX),
            PAYLOAD => alert.bytes = value.to_vec(),
            IN_PORT => {
                let index = find(value, PORT_INDEX).map(|index| number(&index));
                alert.link = index
                    .and_then(|index| u32::try_from(index).ok())
                    .unwrap_or_default();
            }
            _ => {}
        }
    }
    Ok(Some(alert))
}

fn find(attributes: &[u8], kind: u16) -> Option<Vec<u8>> {
    NlasIterator::new(attributes)
        .filter_map(Result::ok)
        .find(|attribute| attribute.kind() == kind)
        .map(|attribute| attribute.value().to_vec())
}

/// Decodes a number of four or eight bytes. Returns 0 for any other length.
fn number(value: &[u8]) -> u64 {
    match *value {
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}

fn text(value: &[u8]) -> String {
    let value = value.strip_suffix(&[0]).unwrap_or(value);
    String::from_utf8_lossy(value).into_owned()
}

/// Returns `tcp_v4_rcv+0x27/0xd40` without the offset, which differs between compilers.
fn function(symbol: &str) -> String {
    symbol.split('+').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: u16 = 0x1b;

    fn sent(command: u8, attributes: &[DefaultNla]) -> Vec<u8> {
        request(FAMILY, command, attributes)
    }

    #[test]
    fn an_alert_is_read() {
        let port = {
            let index = attribute(PORT_INDEX, &4_u32.to_ne_bytes());
            let mut bytes = vec![0; index.buffer_len()];
            index.emit(&mut bytes);
            bytes
        };
        let datagram = sent(
            PACKET_ALERT,
            &[
                attribute(REASON, b"NETFILTER_DROP\0"),
                attribute(SYMBOL, b"nf_hook_slow+0x60/0xb0\0"),
                attribute(IN_PORT, &port),
                attribute(TIMESTAMP, &1_700_000_000_000_000_007_u64.to_ne_bytes()),
                attribute(ORIG_LEN, &66_u32.to_ne_bytes()),
                attribute(PAYLOAD, &[1, 2, 3]),
            ],
        );
        let expected = Alert {
            at: Duration::from_nanos(1_700_000_000_000_000_007),
            link: 4,
            reason: "NETFILTER_DROP".to_owned(),
            function: "nf_hook_slow".to_owned(),
            length: 66,
            bytes: vec![1, 2, 3],
        };
        assert_eq!(alert(&datagram, FAMILY).unwrap(), Some(expected));
    }

    #[test]
    fn other_messages_are_not_alerts() {
        assert_eq!(alert(&sent(START, &[]), FAMILY).unwrap(), None);
        assert_eq!(alert(&sent(PACKET_ALERT, &[]), FAMILY + 1).unwrap(), None);
        assert!(alert(&[0; 7], FAMILY).is_err());
    }

    #[test]
    fn the_family_is_found_in_the_answer() {
        let answer = sent(1, &[attribute(FAMILY_ID, &0x1b_u16.to_ne_bytes())]);
        assert_eq!(family(&answer), Some(0x1b));
        assert_eq!(family(&sent(1, &[])), None);
    }
}
