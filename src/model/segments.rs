//! Filters and losses: which segments of a connection they select, and what happens to these.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::end::End;
use super::family::Family;

/// A packet filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Filter {
    /// The direction: segments to this end; `None`: both directions.
    pub(crate) to: Option<End>,
    /// The segments that match.
    pub(crate) what: Segments,
    /// The action for matching segments.
    pub(crate) verdict: FilterVerdict,
}

/// The action of a filter for a matching packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilterVerdict {
    /// Drops the packet silently.
    Drop,
    /// Drops the packet, and sends its sender a RST with the receiver's address.
    Rst,
    /// Drops the packet, and sends its sender an ICMP destination unreachable.
    Icmp(Unreachable),
}

/// The code of a destination unreachable message of ICMP or ICMPv6, or of both if the same keyword
/// exists in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Unreachable {
    /// The code in ICMP (RFC 792, RFC 1812).
    pub(crate) ipv4: Option<u8>,
    /// The code in ICMPv6 (RFC 4443).
    pub(crate) ipv6: Option<u8>,
}

impl Unreachable {
    /// The code in one family; `None` if the family has no such message.
    #[must_use]
    pub(crate) fn code(self, family: Family) -> Option<u8> {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }
}

/// A class of segments of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Segments {
    /// All segments.
    Any,
    /// Segments that connection tracking assigns to a flow of which it has seen both directions.
    /// Only for filters.
    Established,
    /// Bare acknowledgements from an end that has keepalive. A packet filter cannot distinguish a
    /// keepalive probe from another bare acknowledgement: they differ only in the sequence number,
    /// and only the receiver knows the expected one. While the connection is idle, all of them are
    /// probes.
    Probes,
    /// Bare acknowledgements to an end that has keepalive.
    Answers,
    /// Segments with payload. A large segment that the sender hands to its interface in one piece
    /// counts as one, as in a capture.
    Data,
    /// RST segments.
    Rst,
}

/// A loss of segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Loss {
    /// The direction: segments to this end.
    pub(crate) to: End,
    /// The class of segments.
    pub(crate) what: Segments,
    /// The segments of that class that are lost.
    pub(crate) which: Which,
}

/// A selection among the segments that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// All segments.
    All,
    /// Segments by number. The first segment after the start of the step has number 1.
    Nth(Vec<u32>),
    /// A random percentage of the segments. The selection is the same for the same seed.
    Fraction {
        /// The percentage, 1..=99.
        percent: u8,
        /// The seed of the random numbers, any value.
        seed: u64,
    },
}

/// The length of a random selection, in segments. The selection repeats after this number.
pub(crate) const DRAWN: u32 = 1000;

impl Which {
    /// The numbers, from 1, of the selected segments; `None`: all. A random selection is made among
    /// the first [`DRAWN`] segments, and is the same for the same seed.
    #[must_use]
    pub(crate) fn numbers(&self) -> Option<Vec<u32>> {
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
