//! The captured frames of one end, and what follows from them: probes, answers and activity. Pure.

mod acceptance;
mod frame;
pub(crate) mod icmp;
mod neighbours;
mod packet;
mod segment;
mod track;

pub use frame::Frame;
pub use icmp::IcmpMessage;
pub use neighbours::Neighbours;
pub use packet::Neighbouring;
pub use packet::Packet;
pub use segment::Direction;
pub use segment::Flags;
pub use segment::Segment;
pub use track::IcmpError;
pub use track::Probe;
pub use track::ProbeKind;
pub use track::Track;
pub use track::Write;
pub(crate) use track::{IcmpFate, Meaning};
