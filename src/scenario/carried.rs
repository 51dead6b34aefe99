//! Which families a network carries, and which of them a connection runs over.

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

    /// The words.
    pub(super) fn words() -> Vec<String> {
        Self::ALL.map(|(word, _)| word.to_owned()).into()
    }

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
