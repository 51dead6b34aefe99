//! Writing without an answer: what stays in flight, and when the kernel takes no more.

use std::ops::Range;

use super::{Broken, Hit, Network};
use crate::model::End;
use crate::scenario::diagnostic::Diagnostic;

impl Network {
    /// What a step writes while nothing gets through is in flight until that is repaired.
    pub(super) fn send(&mut self, from: End, verb: &Range<usize>) {
        if self.stops(&[Hit::All]).is_some() {
            self.in_flight(from, verb);
        }
    }

    /// The kernel takes all that a peer reads, for ever.
    pub(super) fn fill(&mut self, from: End, verb: &Range<usize>) -> Option<Diagnostic> {
        let peer = from.peer();
        let leaves_unread = |broken| match broken {
            Broken::Deaf(end) | Broken::Forgotten(end) | Broken::Gone(end) => end == peer,
            Broken::Unaccepting { .. } => peer == End::Server,
            Broken::Shut(_) | Broken::Unopened => false,
            // A loss of some segments can be one of so many that what is written waits.
            Broken::Loss(..) => true,
            broken => broken.stops() != Some(Hit::Some),
        };
        let slow = self.tracks
            || !(self.impaired.is_empty() && self.flapping.is_empty() && self.silent.is_empty());
        if slow || self.find(leaves_unread).is_some() {
            self.in_flight(from, verb);
            return None;
        }
        let message = format!("this step never ends: the {peer} reads all that the {from} writes");
        let endless = Diagnostic::new(verb.clone(), message);
        Some(endless.help(format!(
            "add an earlier step: `do = \"reader\"`, `at = \"{peer}\"`, `action = \"pause\"`; or use `do = \"send\"`"
        )))
    }

    fn in_flight(&mut self, from: End, verb: &Range<usize>) {
        if let Some(prober) = self.prober.as_mut().filter(|prober| prober.end == from) {
            prober.in_flight.get_or_insert_with(|| verb.clone());
        }
    }
}
