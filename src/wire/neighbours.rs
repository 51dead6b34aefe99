//! What one host asked and heard of its neighbours' hardware addresses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::packet::Neighbouring;
use super::segment::Direction;
use crate::model::Moment;

/// ARP or NDP at one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbours {
    /// When it asked: ARP requests or neighbour solicitations that it sent.
    pub solicited: Vec<Moment>,
    /// When it was answered: ARP replies or neighbour advertisements that it received.
    pub answered: Vec<Moment>,
}

impl Neighbours {
    /// Takes one more message into account.
    pub(crate) fn observe(&mut self, at: Moment, direction: Direction, message: Neighbouring) {
        match (direction, message) {
            (Direction::Out, Neighbouring::Request { .. }) => self.solicited.push(at),
            (Direction::In, Neighbouring::Reply { .. }) => self.answered.push(at),
            // What others ask and are told.
            (Direction::In, Neighbouring::Request { .. })
            | (Direction::Out, Neighbouring::Reply { .. }) => {}
        }
    }
}
