//! Writes a case as a pcapng file for Wireshark: the frames of both hosts, with comments that have
//! the harness's knowledge of each frame.
//!
//! Each host's capture is a separate interface, so most segments are in the file twice: where they
//! left and where they arrived.

mod comments;

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

use super::captured::{CapturedPacket, packets};
use crate::evidence::{Captured, Evidence};
use crate::lab::capture::SNAP_LENGTH;
use crate::model::{Moment, Node};
use crate::outcome::{CaseResult, Observation};
use crate::wire::Direction;

/// The origin of a result, which the result itself does not contain.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The summary line of the case's scenario.
    pub summary: &'a str,
    /// The name of the kernel that the case ran on.
    pub kernel: &'a str,
}

/// Writes the frames of a case; nothing if the case has no observation.
///
/// # Errors
/// The error of the writer.
pub fn write(out: &mut dyn Write, result: &CaseResult, origin: Origin) -> io::Result<()> {
    let written = match &result.observation {
        Some(observation) => write_observed(out, result, observation, origin),
        None => Ok(()),
    };
    written.map_err(|error| match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    })
}

fn write_observed(
    out: &mut dyn Write,
    result: &CaseResult,
    observation: &Observation,
    origin: Origin,
) -> Result<(), PcapError> {
    let evidence = &observation.evidence;
    let comment = comments::of_case(result, observation, origin);
    let mut file = PcapNgWriter::with_section_header(out, section(comment, origin.kernel))?;
    for capture in &evidence.captures {
        file.write_pcapng_block(interface(capture))?;
    }
    let seen = packets(evidence);
    let comments = comments::of_frames(result, observation, &seen);
    for (captured, comments) in seen.iter().zip(comments) {
        file.write_pcapng_block(packet(evidence, captured, comments))?;
    }
    for capture in &evidence.captures {
        if let Some(statistics) = statistics(evidence, capture) {
            file.write_pcapng_block(statistics)?;
        }
    }
    Ok(())
}

/// Returns the section header. The file is big-endian, because in little-endian files pcap-file
/// 2.0.0 writes the two halves of a statistics block's timestamp in the wrong order.
fn section(comment: String, kernel: &str) -> SectionHeaderBlock<'static> {
    let application = concat!("deadpeer ", env!("CARGO_PKG_VERSION"));
    SectionHeaderBlock {
        endianness: Endianness::Big,
        options: vec![
            SectionHeaderOption::Comment(short(comment)),
            SectionHeaderOption::OS(short(kernel.to_owned())),
            SectionHeaderOption::UserApplication(Cow::Borrowed(application)),
        ],
        ..SectionHeaderBlock::default()
    }
}

/// Truncates the text of an option. The length of an option is a 16-bit number, and pcap-file does
/// not check it.
fn short(mut text: String) -> Cow<'static, str> {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Cow::Owned(text)
}

fn interface(capture: &Captured) -> InterfaceDescriptionBlock<'static> {
    const NANOSECONDS: u8 = 9;
    let name = format!("{}:{}", capture.node, capture.interface);
    InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        snaplen: SNAP_LENGTH as u32,
        options: vec![
            InterfaceDescriptionOption::IfName(short(name)),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ],
    }
}

/// Returns the index of a host's interface in the file.
fn number(evidence: &Evidence, node: Node) -> u32 {
    let captures = (0..).zip(&evidence.captures);
    let mut of_node = captures.filter(|(_, capture)| capture.node == node);
    of_node.next().map_or(u32::MAX, |(number, _)| number)
}

/// Returns the time since the Unix epoch.
fn since_1970(evidence: &Evidence, at: Moment) -> Duration {
    evidence.epoch + at.since(Moment::from_nanos(0))
}

fn packet<'a>(
    evidence: &Evidence,
    captured: &CapturedPacket<'a>,
    comments: Vec<String>,
) -> EnhancedPacketBlock<'a> {
    let frame = captured.frame;
    // The direction is in the two lowest bits of the flags.
    let direction = match frame.direction {
        Direction::In => 1,
        Direction::Out => 2,
    };
    let mut options = vec![EnhancedPacketOption::Flags(direction)];
    options.extend(captured.lost_before.map(EnhancedPacketOption::DropCount));
    let comments = comments.into_iter().map(short);
    options.extend(comments.map(EnhancedPacketOption::Comment));
    EnhancedPacketBlock {
        interface_id: number(evidence, captured.end.node()),
        timestamp: since_1970(evidence, frame.at),
        original_len: frame.length,
        data: Cow::Borrowed(&frame.bytes),
        options,
    }
}

/// Returns the number of captured frames and of those in the file. `None` without frames, because
/// then the block has no timestamp.
fn statistics(
    evidence: &Evidence,
    capture: &Captured,
) -> Option<InterfaceStatisticsBlock<'static>> {
    let frames = &capture.frames;
    let at = since_1970(evidence, frames.items.last()?.at).as_nanos();
    let kept = frames.items.len() as u64;
    Some(InterfaceStatisticsBlock {
        interface_id: number(evidence, capture.node),
        timestamp: u64::try_from(at).unwrap_or(u64::MAX),
        options: vec![
            InterfaceStatisticsOption::IsbIfRecv(kept + frames.cut),
            InterfaceStatisticsOption::IsbUsrDeliv(kept),
        ],
    })
}

#[cfg(test)]
mod tests;
