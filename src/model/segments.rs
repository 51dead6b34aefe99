//! Segments of a connection as a filter selects them, and what becomes of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::end::End;
use super::family::Family;

/// What a filter does to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// In which direction; `None`: in both.
    pub to: Option<End>,
    /// Which segments of the connection.
    pub what: Segments,
    /// What becomes of them.
    pub verdict: FilterVerdict,
}

/// What becomes of a packet that a filter catches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilterVerdict {
    /// Nobody is told.
    Drop,
    /// Its sender gets a RST in the receiver's name.
    Rst,
    /// Its sender gets destination unreachable.
    Icmp(Unreachable),
}

/// A code of ICMP's or ICMPv6's destination unreachable; of both where one word is a message of
/// both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unreachable {
    /// RFC 792 and RFC 1812.
    pub ipv4: Option<u8>,
    /// RFC 4443.
    pub ipv6: Option<u8>,
}

impl Unreachable {
    /// The code in one family, if that has such a message.
    #[must_use]
    pub(crate) fn code(self, family: Family) -> Option<u8> {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }
}

/// Which segments of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Segments {
    /// All.
    Any,
    /// What connection tracking takes for part of a flow that it has seen both directions of;
    /// filters only.
    Established,
    /// Bare acknowledgements of an end that has keepalive. A packet filter cannot tell a probe from
    /// another one: only its sequence number differs, from what the receiver expects. While the
    /// connection is idle, there are no others.
    Probes,
    /// Bare acknowledgements to an end that has keepalive.
    Answers,
    /// Those with payload. What the sender hands to its interface in one piece counts as one, as in
    /// a capture.
    Data,
    /// RST.
    Rst,
}

/// Segments that get lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// In which direction.
    pub to: End,
    /// Of which kind.
    pub what: Segments,
    /// Which of those.
    pub which: Which,
}

/// Which of the segments that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All.
    All,
    /// By their numbers, counted from 1 when the step is taken.
    Nth(Vec<u32>),
    /// So many of a hundred, chosen by chance that is the same for the same seed.
    Fraction {
        /// 1..=99.
        percent: u8,
        /// Any number.
        seed: u64,
    },
}

/// Among how many segments the choice is made; after these it repeats.
pub(crate) const DRAWN: u32 = 1000;

impl Which {
    /// The numbers of the lost ones among the first [`DRAWN`], from 1; `None`: all. Pure: the same
    /// for the same seed.
    #[must_use]
    pub fn numbers(&self) -> Option<Vec<u32>> {
        match self {
            Self::All => None,
            Self::Nth(numbers) => Some(numbers.clone()),
            Self::Fraction { percent, seed } => {
                let mut chance = fastrand::Rng::with_seed(*seed);
                let lost = |_: &u32| chance.u8(0..100) < *percent;
                Some((1..=DRAWN).filter(lost).collect())
            }
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            FilterVerdict::Drop => write!(f, "drop {}", self.what)?,
            FilterVerdict::Rst => write!(f, "reject {} with a RST", self.what)?,
            FilterVerdict::Icmp(_) => write!(f, "reject {} with an ICMP error", self.what)?,
        }
        match self.to {
            Some(to) => write!(f, " to the {to}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::All => write!(f, "{}", self.what)?,
            Which::Nth(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                write!(f, "number {} of {}", numbers.join(", "), self.what)?;
            }
            Which::Fraction { percent, seed } => {
                write!(f, "{percent}% of {} (seed {seed})", self.what)?;
            }
        }
        write!(f, " to the {}", self.to)
    }
}

impl fmt::Display for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "segments",
            Self::Established => "segments of established flows",
            Self::Probes => "keepalive probes",
            Self::Answers => "keepalive answers",
            Self::Data => "segments with data",
            Self::Rst => "RST segments",
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Which;

    #[test]
    fn a_seed_chooses_the_same_segments_for_ever() {
        let numbers = |percent, seed| {
            let which = Which::Fraction { percent, seed };
            which.numbers().unwrap()
        };
        assert_eq!(&numbers(30, 7)[..8], [2, 6, 7, 9, 12, 14, 16, 18]);
        assert_ne!(numbers(30, 8), numbers(30, 7));
        for percent in [1, 30, 99] {
            let lost = numbers(percent, 1).len();
            let about = usize::from(percent) * 10;
            assert!(lost.abs_diff(about) < 50, "{percent}: {lost}");
        }
    }
}
