//! The address resolution of one host: its requests for the hardware addresses of its neighbours,
//! and the replies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::packet::Neighbouring;
use super::segment::Direction;
use crate::model::Moment;

/// ARP or NDP at one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Neighbours {
    /// The times of the ARP requests or neighbour solicitations that the host sent.
    pub(crate) solicited: Vec<Moment>,
    /// The times of the ARP replies or neighbour advertisements that the host received.
    pub(crate) answered: Vec<Moment>,
}

impl Neighbours {
    /// Records one more message.
    pub(crate) fn observe(&mut self, at: Moment, direction: Direction, message: Neighbouring) {
        match (direction, message) {
            (Direction::Out, Neighbouring::Request { .. }) => self.solicited.push(at),
            (Direction::In, Neighbouring::Reply { .. }) => self.answered.push(at),
            // The requests of other hosts, and the replies to them.
            (Direction::In, Neighbouring::Request { .. })
            | (Direction::Out, Neighbouring::Reply { .. }) => {}
        }
    }
}
