//! The captured frames of one end, and what follows from them: probes, answers and activity. Pure.

mod acceptance;
mod frame;
pub(crate) mod icmp;
mod neighbours;
mod packet;
mod segment;
mod track;

pub(crate) use frame::Frame;
pub(crate) use icmp::IcmpMessage;
pub(crate) use neighbours::Neighbours;
pub(crate) use packet::Neighbouring;
pub(crate) use packet::Packet;
pub(crate) use segment::Direction;
#[cfg(test)]
pub(crate) use segment::Flags;
pub(crate) use segment::Segment;
pub(crate) use track::IcmpError;
pub(crate) use track::Probe;
pub(crate) use track::ProbeKind;
pub(crate) use track::Track;
pub(crate) use track::Write;
pub(crate) use track::{IcmpFate, Meaning};
