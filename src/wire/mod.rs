//! What was on the wire at one end: frames, and what they say about probes, answers and activity. Pure.

mod acceptance;
mod frame;
mod icmp;
mod neighbours;
mod packet;
mod segment;
mod track;

pub use frame::Frame;
pub use icmp::{IcmpMessage, Quoted};
pub use neighbours::Neighbours;
pub use packet::{Neighbouring, Packet};
pub use segment::{Direction, Flags, Segment};
pub use track::{IcmpError, IcmpFate, Meaning, Probe, ProbeKind, Track, Write};
