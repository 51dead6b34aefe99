//! Changes of a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::Node;

/// A change of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteChange {
    /// Removed: the route lookup fails.
    Delete,
    /// Replaced by an `unreachable` route.
    Unreachable,
    /// Replaced by a `prohibit` route.
    Prohibit,
    /// Replaced by a `blackhole` route.
    Blackhole,
    /// Replaced by a route through this router.
    Via(Node),
    /// The original route is restored.
    Restore,
}
