//! Which families a network carries, and which of them a connection runs over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Family;

/// What the network of a case carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// The family of the case's connection, and no other.
    #[default]
    Single,
    /// Both families, as most networks do: the case is one of two strands, each with a connection over its own.
    Dual,
}

/// A word of `topology.family`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    One(Family),
    Both,
}

impl Carried {
    pub(super) const ALL: [(&str, Self); 3] = [
        ("ipv4", Self::One(Family::Ipv4)),
        ("ipv6", Self::One(Family::Ipv6)),
        ("dual", Self::Both),
    ];

    /// What is made where a file says nothing.
    pub(super) const DEFAULT: [Self; 2] = [Self::One(Family::Ipv4), Self::One(Family::Ipv6)];

    /// The families that a connection runs over, each a case of its own.
    pub(super) fn families(self) -> Vec<Family> {
        match self {
            Self::One(family) => vec![family],
            Self::Both => Family::ALL.to_vec(),
        }
    }

    pub(super) fn stack(self) -> Stack {
        match self {
            Self::One(_) => Stack::Single,
            Self::Both => Stack::Dual,
        }
    }
}

impl Stack {
    /// The last part of a case's name.
    pub(super) fn name(self, family: Family) -> String {
        match self {
            Self::Single => family.to_string(),
            Self::Dual => format!("dual-{family}"),
        }
    }
}
