//! Frames at a host's interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kept::Kept;
use crate::clock::Moment;
use crate::scenario::model::Node;
use crate::wire::Direction;

/// What one packet socket saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Captured {
    /// Whose interface.
    pub node: Node,
    /// Its name in the host's namespace.
    pub interface: String,
    /// In the order in which the kernel delivered them.
    pub frames: Kept<Frame>,
}

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
