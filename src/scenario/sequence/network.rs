//! Steps of the network: one state of each address, entry and switch at a time, and cables that are left to themselves while they flap.

use std::ops::Range;
use std::time::Duration;

use super::link::Side;
use super::{Broken, Network};
use crate::model::{End, Node};
use crate::scenario::diagnostic::Diagnostic;
use crate::step::{AddressChange, Flapping, NeighbourChange, NetworkStep};

impl Network {
    /// What is wrong with the step; otherwise the network is what the step makes of it.
    pub(super) fn network(
        &mut self,
        step: &NetworkStep,
        verb: &Range<usize>,
    ) -> Option<Diagnostic> {
        match step {
            NetworkStep::Address { at, change } => {
                let gone = Broken::Address(*at);
                match change {
                    AddressChange::Remove => {
                        let message = format!("the {at} has no address any more");
                        self.once(gone, verb, message, "restore it in between")
                    }
                    AddressChange::Restore => self.undo(gone, verb, || {
                        let message = format!("the {at} has its address already");
                        let step =
                            format!("`do = \"address\"`, `at = \"{at}\"`, `action = \"remove\"`");
                        (message, step)
                    }),
                }
            }
            NetworkStep::Neighbour { on, to, change } => self.neighbour((*on, *to), *change, verb),
            NetworkStep::Forwarding { on, forwards } => {
                let off = Broken::Forwarding(*on);
                if !forwards {
                    let message = format!("{} forwards nothing already", on.the());
                    return self.once(off, verb, message, "switch it on in between");
                }
                self.undo(off, verb, || {
                    let message = format!("{} forwards already", on.the());
                    let step =
                        format!("`do = \"forwarding\"`, `on = \"{on}\"`, `action = \"off\"`");
                    (message, step)
                })
            }
            NetworkStep::Flap { at, flapping } => self.flap(*at, *flapping, verb),
            NetworkStep::Impair { at, .. } => {
                self.impaired.push(*at);
                None
            }
            NetworkStep::Heal { at } => {
                let before = self.impaired.len();
                self.impaired.retain(|host| host != at);
                (self.impaired.len() == before).then(|| {
                    let message = format!("what the {at} sends is not impaired when that stops");
                    let early = Diagnostic::new(verb.clone(), message);
                    early.help(format!(
                        "add an earlier step: `do = \"impair\"`, `at = \"{at}\"`, with what is bad about it"
                    ))
                })
            }
        }
    }

    fn neighbour(
        &mut self,
        (on, to): (Node, End),
        change: NeighbourChange,
        verb: &Range<usize>,
    ) -> Option<Diagnostic> {
        let wrong = Broken::Neighbour(on, to);
        let message = format!(
            "{} has a wrong entry for its neighbour towards the {to} already",
            on.the()
        );
        match change {
            NeighbourChange::Wrong => self.once(wrong, verb, message, "restore it in between"),
            NeighbourChange::Restore => self.undo(wrong, verb, || {
                let message = format!(
                    "{} has no wrong entry for its neighbour towards the {to}",
                    on.the()
                );
                let step = format!(
                    "`do = \"neighbour\"`, `on = \"{on}\"`, `to = \"{to}\"`, `action = \"wrong\"`"
                );
                (message, step)
            }),
            NeighbourChange::Remove => {
                let (broken, earlier) = self.find(|broken| broken == wrong)?;
                let early = Diagnostic::new(verb.clone(), message);
                let early = early.related(earlier.clone(), broken.label());
                Some(early.help("write `action = \"restore\"`, after which it has to ask too"))
            }
        }
    }

    /// Breaks what is whole.
    fn once(
        &mut self,
        broken: Broken,
        verb: &Range<usize>,
        message: String,
        between: &str,
    ) -> Option<Diagnostic> {
        if let Some((same, earlier)) = self.find(|other| other == broken) {
            let twice = Diagnostic::new(verb.clone(), message);
            let twice = twice.related(earlier.clone(), same.label());
            return Some(twice.help(format!("remove one of the two, or {between}")));
        }
        self.breaks(broken, verb);
        None
    }

    /// Makes whole what is broken; otherwise what is wrong with that, and the step that is missing.
    fn undo(
        &mut self,
        broken: Broken,
        verb: &Range<usize>,
        missing: impl Fn() -> (String, String),
    ) -> Option<Diagnostic> {
        if self.heal(|other| other == broken) {
            return None;
        }
        let (message, step) = missing();
        let early = Diagnostic::new(verb.clone(), message);
        Some(early.help(format!("add an earlier step: {step}")))
    }

    fn flap(&mut self, at: End, flapping: Flapping, verb: &Range<usize>) -> Option<Diagnostic> {
        let cable = Side::Cable(at);
        let wrong = self.still_flapping(cable, verb);
        if let Some(wrong) = wrong.or_else(|| self.out(cable, verb)) {
            return Some(wrong);
        }
        self.flapping.retain(|(end, ..)| *end != at);
        let lasts = Some(flapping.lasts());
        self.flapping.push((at, lasts, verb.clone()));
        None
    }

    /// What is wrong with a step at a cable that goes out and in by itself, for all that is known.
    pub(super) fn still_flapping(&self, side: Side, verb: &Range<usize>) -> Option<Diagnostic> {
        let flapping = |(end, left, _): &&(End, Option<Duration>, _)| {
            self.is_same(Side::Cable(*end), side) && left.is_none_or(|left| !left.is_zero())
        };
        let (end, _, earlier) = self.flapping.iter().find(flapping)?;
        let message = format!("{} may still flap at this step", side.named());
        let early = Diagnostic::new(verb.clone(), message);
        let early = early.related(
            earlier.clone(),
            format!("the {end}'s cable flaps from here"),
        );
        Some(early.help(
            "wait for the end of its flapping with `after`: it takes `count` times `period`, but for the last half",
        ))
    }
}
