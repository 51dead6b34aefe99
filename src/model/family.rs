//! The Internet protocol that carries a connection, and the protocols that a network carries.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::display::display_as;

/// The Internet protocol that carries the connection.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// RFC 791.
    Ipv4,
    /// RFC 8200.
    Ipv6,
}

impl Family {
    /// Both families.
    pub(crate) const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The other family.
    #[must_use]
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Ipv4 => Self::Ipv6,
            Self::Ipv6 => Self::Ipv4,
        }
    }
}

display_as!(Family { Family::Ipv4 => "ipv4", Family::Ipv6 => "ipv6" });

/// The families that the network of a case carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// The family of the case's connection, and no other.
    #[default]
    Single,
    /// Both families, as in most networks. The case is one of two variants, one for each family,
    /// and its connections use its own family.
    Dual,
}

impl Stack {
    /// The last part of a case's name: `ipv4`, `dual-ipv6`.
    pub(crate) fn name(self, family: Family) -> String {
        match self {
            Self::Single => family.to_string(),
            Self::Dual => format!("dual-{family}"),
        }
    }
}
