//! One TCP segment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Moment;

/// The direction of a segment, from the point of view of the end that captured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// Sent by this end.
    Out,
    /// Received by this end.
    In,
}

/// One TCP segment of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The kernel's timestamp.
    pub(crate) at: Moment,
    /// Sent or received.
    pub(crate) direction: Direction,
    /// The client's port, which identifies the connection within the case.
    pub(crate) connection: u16,
    /// Sequence number.
    pub(crate) seq: u32,
    /// Acknowledgement number.
    pub(crate) ack: u32,
    /// Bytes of payload.
    pub(crate) len: u32,
    /// The window field of the header, unscaled.
    pub(crate) window: u16,
    /// The sender's timestamp (RFC 7323), if the segment has one.
    pub(crate) timestamp: Option<u32>,
    /// The control bits that the analysis uses.
    pub(crate) flags: Flags,
}

/// TCP control bits (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the header's own control bits"
)]
pub(crate) struct Flags {
    /// Synchronize sequence numbers.
    pub(crate) syn: bool,
    /// No more data from sender.
    pub(crate) fin: bool,
    /// Reset the connection.
    pub(crate) rst: bool,
    /// Acknowledgement field is significant.
    pub(crate) ack: bool,
}
