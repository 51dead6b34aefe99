use pcap_file::pcapng::{Block, PcapNgReader};

use super::*;
use crate::model::{CLIENT_PORT, End};
use crate::report::fixture::{Fate, Wire, crash, of_connection, result, segment};
use crate::testing::{Line, MS, at, client};
use crate::wire::Frame;

const ORIGIN: Origin = Origin {
    summary: "The peer crashes",
    kernel: "Linux 6.12",
};

fn written(result: &CaseResult) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, result, ORIGIN).unwrap();
    out
}

fn blocks(file: &[u8]) -> Vec<Block<'static>> {
    let mut reader = PcapNgReader::new(file).unwrap();
    let mut blocks = vec![Block::SectionHeader(reader.section().clone())];
    while let Some(block) = reader.next_block() {
        blocks.push(block.unwrap().into_owned());
    }
    blocks
}

fn packets(file: &[u8]) -> Vec<EnhancedPacketBlock<'static>> {
    let blocks = blocks(file).into_iter();
    blocks.filter_map(Block::into_enhanced_packet).collect()
}

fn comments(packet: &EnhancedPacketBlock) -> Vec<String> {
    let options = packet.options.iter();
    options
        .filter_map(|option| match option {
            EnhancedPacketOption::Comment(text) => Some(text.clone().into_owned()),
            _ => None,
        })
        .collect()
}

/// Returns a line per packet: its time as the harness counts it, its interface, and its comments.
fn told(file: &[u8]) -> String {
    let mut text = String::new();
    for packet in packets(file) {
        let moment = Moment::from_nanos(u64::try_from(packet.timestamp.as_nanos()).unwrap());
        let time = crate::report::words::time(moment, at(0));
        let interface = packet.interface_id;
        let said = comments(&packet).join(" | ");
        text += format!("{time} {interface} {said}").trim_end();
        text += "\n";
    }
    text
}

#[test]
fn frames_are_told_where_they_were_seen() {
    insta::assert_snapshot!(told(&written(&result(crash()))));
}

#[test]
fn the_section_tells_the_case() {
    let file = written(&result(crash()));
    let Block::SectionHeader(section) = &blocks(&file)[0] else {
        panic!("no section header");
    };
    let options = section.options.iter().map(|option| match option {
        SectionHeaderOption::Comment(text)
        | SectionHeaderOption::OS(text)
        | SectionHeaderOption::UserApplication(text) => {
            text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
        }
        other => panic!("{other:?}"),
    });
    insta::assert_snapshot!(options.collect::<Vec<_>>().join("\n"));
}

/// The reader of the crate checks neither the bytes after the options nor the end of a block.
#[test]
fn blocks_are_whole() {
    let file = written(&result(crash()));
    let word = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
    let (mut position, mut kinds) = (0, Vec::new());
    while position < file.len() {
        let length = word(position + 4) as usize;
        assert_eq!(length % 4, 0, "at {position}");
        assert_eq!(
            word(position + length - 4) as usize,
            length,
            "at {position}"
        );
        kinds.push(word(position));
        position += length;
    }
    assert_eq!(position, file.len());
    let expected = [vec![0x0a0d_0d0a, 1, 1], vec![6; 15], vec![5, 5]].concat();
    assert_eq!(kinds, expected);
}

#[test]
fn interfaces_have_the_hosts_names_and_nanoseconds() {
    let file = written(&result(crash()));
    let interfaces = blocks(&file).into_iter();
    let options: Vec<_> = interfaces
        .filter_map(Block::into_interface_description)
        .map(|interface| interface.options)
        .collect();
    let expected = ["client:eth0", "server:eth0"].map(|name| {
        vec![
            InterfaceDescriptionOption::IfName(name.into()),
            InterfaceDescriptionOption::IfTsResol(9),
        ]
    });
    assert_eq!(options, expected);
}

#[test]
fn packets_are_what_was_captured() {
    let mut evidence = crash();
    evidence.epoch = Duration::from_secs(1_700_000_000);
    evidence.captures[0].frames.items[3].length = 1_000;
    let frames = evidence.captures[0].frames.items.clone();
    let file = written(&result(evidence));
    let of_client = packets(&file)
        .into_iter()
        .filter(|packet| packet.interface_id == 0);
    let seen: Vec<_> = of_client
        .map(|packet| {
            let direction = match packet.options[0] {
                EnhancedPacketOption::Flags(1) => Direction::In,
                EnhancedPacketOption::Flags(2) => Direction::Out,
                ref other => panic!("{other:?}"),
            };
            let since = packet.timestamp - Duration::from_secs(1_700_000_000);
            Frame {
                at: Moment::from_nanos(u64::try_from(since.as_nanos()).unwrap()),
                direction,
                unheard: false,
                length: packet.original_len,
                bytes: packet.data.into_owned(),
            }
        })
        .collect();
    assert_eq!(seen, frames);
}

#[test]
fn frames_that_were_not_kept_are_counted_where_they_were() {
    let mut evidence = crash();
    let frames = &mut evidence.captures[0].frames;
    (frames.cut, frames.cut_before) = (17, 5);
    let file = written(&result(evidence));
    let after: Vec<_> = packets(&file)
        .into_iter()
        .filter(|packet| {
            packet
                .options
                .contains(&EnhancedPacketOption::DropCount(17))
        })
        .collect();
    let [packet] = after.as_slice() else {
        panic!("{after:?}");
    };
    assert!(comments(packet).contains(&"17 frames before this one were not kept".to_owned()));
    let statistics = blocks(&file).into_iter();
    let counts: Vec<_> = statistics
        .filter_map(Block::into_interface_statistics)
        .map(|statistics| statistics.options)
        .collect();
    let expected = [(8 + 17, 8), (7, 7)].map(|(seen, kept)| {
        vec![
            InterfaceStatisticsOption::IsbIfRecv(seen),
            InterfaceStatisticsOption::IsbUsrDeliv(kept),
        ]
    });
    assert_eq!(counts, expected);
}

/// The second connection sends the same probes and fails like the first, half a second later. Its
/// probes are numbered separately.
#[test]
fn each_connection_has_its_own_comments() {
    let probe = |port| of_connection(segment(End::Client, ".", 10, 1, 0), port);
    let data = |port| of_connection(segment(End::Client, ".", 1, 1, 10), port);
    let [first, second] = [CLIENT_PORT, CLIENT_PORT + 1];
    let wire = Wire::default()
        .sends(-30, End::Client, data(first), Fate::Arrives)
        .sends(-20, End::Client, data(second), Fate::Arrives)
        .sends(1_000 * MS, End::Client, probe(first), Fate::Lost)
        .sends(1_500 * MS, End::Client, probe(second), Fate::Lost);
    let mut result = result(Evidence {
        captures: wire.captures(),
        ..Evidence::default()
    });
    let line = |at| Line::established(-20).fails("ETIMEDOUT", at);
    result.observation.as_mut().unwrap().ends =
        vec![client(vec![line(2_000 * MS), line(2_500 * MS)])];
    insta::assert_snapshot!(told(&written(&result)), @r"
    -0.000000 0
    -0.000000 1
    -0.000000 0
    -0.000000 1
    1.000000 0 keepalive probe 1 of 3 | after this, at 2.000000 s: client: read: ETIMEDOUT
    1.500000 0 keepalive probe 1 of 3 | after this, at 2.500000 s: client: read: ETIMEDOUT
    ");
}

#[test]
fn a_long_text_ends_at_a_letter() {
    // The limit falls between the two bytes of a letter.
    let summary = format!("-{}", "ä".repeat(40_000));
    let mut file = Vec::new();
    let origin = Origin {
        summary: &summary,
        ..ORIGIN
    };
    write(&mut file, &result(crash()), origin).unwrap();
    let Block::SectionHeader(section) = &blocks(&file)[0] else {
        panic!("no section header");
    };
    let SectionHeaderOption::Comment(comment) = &section.options[0] else {
        panic!("no comment");
    };
    assert!(
        (65_530..65_536).contains(&comment.len()),
        "{}",
        comment.len()
    );
    assert!(comment.ends_with('ä'));
}

#[test]
fn nothing_is_written_of_what_was_not_observed() {
    let mut result = result(crash());
    result.observation = None;
    assert!(written(&result).is_empty());
}
