use etherparse::PacketBuilder;

use super::*;
use crate::model::Moment;
use crate::wire::Direction;
use crate::wire::icmp::Quoted;

const CLIENT: [u8; 4] = [192, 0, 2, 1];
const ROUTER: [u8; 4] = [192, 0, 2, 254];
const SERVER: [u8; 4] = [198, 51, 100, 1];

fn frame(bytes: Vec<u8>) -> Frame {
    Frame {
        at: Moment::from_nanos(7),
        direction: Direction::Out,
        unheard: false,
        length: bytes.len() as u32,
        bytes,
    }
}

fn probe() -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([0; 6], [1; 6])
        .ipv4(CLIENT, SERVER, 64)
        .tcp(40_000, SERVER_PORT, 4242, 501)
        .ack(99)
        .write(&mut bytes, &[])
        .unwrap();
    bytes
}

#[test]
fn a_segment_of_the_connection_is_read_from_its_header() {
    let Packet::Tcp(segment) = Packet::of(&frame(probe())) else {
        panic!("not a TCP segment");
    };
    assert_eq!(
        (segment.connection, segment.seq, segment.ack, segment.len),
        (40_000, 4242, 99, 0)
    );
    assert!(segment.flags.ack && !segment.flags.syn);
}

#[test]
fn a_truncated_segment_has_its_full_length() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([0; 6], [1; 6])
        .ipv4(CLIENT, SERVER, 64)
        .tcp(40_000, SERVER_PORT, 4242, 501)
        .write(&mut bytes, &[0; 1000])
        .unwrap();
    bytes.truncate(256);
    let Packet::Tcp(segment) = Packet::of(&frame(bytes)) else {
        panic!("it is a segment");
    };
    assert_eq!(segment.len, 1000);
}

#[test]
fn an_icmp_error_quotes_the_segment_that_it_is_about() {
    let mut bytes = Vec::new();
    let unreachable = etherparse::Icmpv4Type::DestinationUnreachable(
        etherparse::icmpv4::DestUnreachableHeader::Host,
    );
    PacketBuilder::ethernet2([0; 6], [1; 6])
        .ipv4(ROUTER, CLIENT, 64)
        .icmpv4(unreachable)
        .write(&mut bytes, &probe()[14..])
        .unwrap();
    let Packet::Icmp(message) = Packet::of(&frame(bytes)) else {
        panic!("not an ICMP message");
    };
    assert_eq!(message.name(), "host-unreachable");
    assert_eq!(message.from, IpAddr::from(ROUTER));
    let quoted = Quoted {
        connection: 40_000,
        seq: 4242,
    };
    assert_eq!(message.quoted, Some(quoted));
}

#[test]
fn arp_requests_and_replies_are_read() {
    let message = |operation| {
        let arp = etherparse::ArpPacket::new(
            etherparse::ArpHardwareId::ETHERNET,
            etherparse::EtherType::IPV4,
            operation,
            &[1; 6],
            &CLIENT,
            &[0; 6],
            &ROUTER,
        )
        .unwrap();
        let mut bytes = Vec::new();
        PacketBuilder::ethernet2([0; 6], [0xff; 6])
            .arp(arp)
            .write(&mut bytes)
            .unwrap();
        Packet::of(&frame(bytes))
    };
    let asks = Neighbouring::Request {
        sender: CLIENT.into(),
        target: ROUTER.into(),
    };
    assert_eq!(message(ArpOperation::REQUEST), Packet::Neighbour(asks));
    let answers = Neighbouring::Reply {
        target: CLIENT.into(),
    };
    assert_eq!(message(ArpOperation::REPLY), Packet::Neighbour(answers));
}

#[test]
fn ndp_solicitations_and_advertisements_are_read() {
    let [here, there] = [1, 2].map(|host| Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, host));
    let message = |kind: u8| {
        let mut bytes = Vec::new();
        let kind = etherparse::Icmpv6Type::Unknown {
            type_u8: kind,
            code_u8: 0,
            bytes5to8: [0; 4],
        };
        PacketBuilder::ethernet2([0; 6], [1; 6])
            .ipv6(here.octets(), there.octets(), 255)
            .icmpv6(kind)
            .write(&mut bytes, &there.octets())
            .unwrap();
        Packet::of(&frame(bytes))
    };
    let asks = Neighbouring::Request {
        sender: here.into(),
        target: there.into(),
    };
    assert_eq!(message(135), Packet::Neighbour(asks));
    let answers = Neighbouring::Reply {
        target: there.into(),
    };
    assert_eq!(message(136), Packet::Neighbour(answers));
    assert!(matches!(message(143), Packet::Icmp(message) if message.is_chatter()));
}

#[test]
fn a_malformed_frame_is_something_else() {
    assert_eq!(Packet::of(&frame(vec![1, 2, 3])), Packet::Other);
}
