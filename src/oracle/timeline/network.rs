//! Steps of the network as outages.

use super::Walk;
use crate::oracle::outage::Fault;
use crate::step::{AddressChange, NeighbourChange, NetworkStep};

impl Walk {
    /// `None` for what comes and goes by itself, and for what hits some segments and not others.
    pub(super) fn network(&mut self, step: &NetworkStep) -> Option<()> {
        match step {
            // Whoever forgets a neighbour asks, and the answer comes at once.
            NetworkStep::Neighbour {
                change: NeighbourChange::Remove,
                ..
            } if self.active.is_empty() => {}
            NetworkStep::Neighbour { on, to, change } => match change {
                NeighbourChange::Wrong => self.fail(Fault::Misdirected(*on, *to))?,
                NeighbourChange::Restore => {
                    self.undo(|fault| fault == Fault::Misdirected(*on, *to));
                }
                NeighbourChange::Remove => return None,
            },
            // A router that does not forward drops in silence (ip_error, ip6_forward).
            NetworkStep::Forwarding { forwards, .. } => {
                if *forwards {
                    self.undo(|fault| fault == Fault::NotForwarded);
                } else {
                    self.fail(Fault::NotForwarded)?;
                }
            }
            // An IPv6 host goes on sending through a router from the address that it has no more (ip6_route_output asks for no source), and
            // drops the answers.
            NetworkStep::Address { at, .. } if *at == self.end && self.sends_unaddressed => {
                return None;
            }
            NetworkStep::Address { at, change } => match change {
                AddressChange::Remove => self.fail(Fault::Unaddressed(*at))?,
                AddressChange::Restore => self.undo(|fault| fault == Fault::Unaddressed(*at)),
            },
            NetworkStep::Flap { .. } | NetworkStep::Impair { .. } | NetworkStep::Heal { .. } => {
                return None;
            }
        }
        Some(())
    }
}
