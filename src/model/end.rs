//! The two ends of a connection.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::display::display_as;
use super::node::Node;

/// One end of the connection.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The end that called `connect`.
    Client,
    /// The end that called `accept`.
    Server,
}

impl End {
    /// The other end.
    #[must_use]
    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The node that this end runs on.
    #[must_use]
    pub fn node(self) -> Node {
        match self {
            Self::Client => Node::CLIENT,
            Self::Server => Node::SERVER,
        }
    }
}

display_as!(End { End::Client => "client", End::Server => "server" });
