//! The address families that a network carries, and the families of its connections.

use crate::model::{Family, Stack};

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

    /// The words of `topology.family`.
    pub(super) fn words() -> Vec<String> {
        Self::ALL.map(|(word, _)| word.to_owned()).into()
    }

    /// The value for a file without `topology.family`.
    pub(super) const DEFAULT: [Self; 2] = [Self::One(Family::Ipv4), Self::One(Family::Ipv6)];

    /// The families of the connections; each family gives a separate case.
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
