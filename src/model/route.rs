//! Changes of a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::Node;

/// What happens to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteChange {
    /// Removed: the lookup finds nothing.
    Delete,
    /// Replaced by an `unreachable` route.
    Unreachable,
    /// Replaced by a `prohibit` route.
    Prohibit,
    /// Replaced by a `blackhole` route.
    Blackhole,
    /// Replaced by one over this router.
    Via(Node),
    /// The original is back.
    Restore,
}
