//! One TCP segment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Moment;

/// The direction of a segment, from the point of view of the end that captured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Sent by this end.
    Out,
    /// Received by this end.
    In,
}

/// One TCP segment of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The kernel's timestamp.
    pub at: Moment,
    /// Sent or received.
    pub direction: Direction,
    /// The client's port, which identifies the connection within the case.
    pub connection: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Bytes of payload.
    pub len: u32,
    /// The window field of the header, unscaled.
    pub window: u16,
    /// The sender's timestamp (RFC 7323), if the segment has one.
    pub timestamp: Option<u32>,
    /// The control bits that the analysis uses.
    pub flags: Flags,
}

/// TCP control bits (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the header's own control bits"
)]
pub struct Flags {
    /// Synchronize sequence numbers.
    pub syn: bool,
    /// No more data from sender.
    pub fin: bool,
    /// Reset the connection.
    pub rst: bool,
    /// Acknowledgement field is significant.
    pub ack: bool,
}
