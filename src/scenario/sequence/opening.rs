//! Connections that are opened as a step, and listening sockets whose program accepts nothing, which only those meet.

use std::ops::Range;

use super::{Broken, Hit, Network};
use crate::model::End;
use crate::scenario::diagnostic::Diagnostic;
use crate::step::{ListenerAct, ListenerStep};

impl Network {
    pub(super) fn connect(&mut self, verb: &Range<usize>) -> Option<Diagnostic> {
        if self.heal(|broken| broken == Broken::Unopened) {
            self.heal(|broken| matches!(broken, Broken::Unaccepting { passes: true, .. }));
            if self.stops(&[Hit::All]).is_some() && self.flapping.is_empty() {
                self.breaks(Broken::Unconnected, verb);
            }
            return None;
        }
        let twice = Diagnostic::new(verb.clone(), "the connection has been opened already");
        Some(twice.help("a case opens its connections once: remove one of the two"))
    }

    /// What is wrong with a step that needs a connection.
    pub(super) fn unopened(&self, verb: &Range<usize>) -> Option<Diagnostic> {
        let (broken, later) = self.find(|broken| broken == Broken::Unopened)?;
        let early = Diagnostic::new(verb.clone(), "there is no connection yet at this step");
        let early = early.related(later.clone(), broken.label());
        Some(early.help("take this step after `do = \"connect\"`"))
    }

    pub(super) fn listener(
        &mut self,
        step: ListenerStep,
        verb: &Range<usize>,
    ) -> Option<Diagnostic> {
        if let Some(gone) = self.gone(End::Server, verb) {
            return Some(gone);
        }
        let opened = self.find(|broken| broken == Broken::Unopened).is_none();
        if opened && !self.connects {
            let message = "the client has opened its connections before the first step";
            let late = Diagnostic::new(verb.clone(), message);
            return Some(late.help("open them after this step: `do = \"connect\"`"));
        }
        if opened && step.lasts.is_some() {
            let message = "no connection is opened after this step, and none would be accepted";
            let late = Diagnostic::new(verb.clone(), message);
            return Some(late.help("take it before `do = \"connect\"`, or leave `for` out"));
        }
        if step.act != ListenerAct::Pause
            && let Some(wrong) = self.others_cannot_connect(verb)
        {
            return Some(wrong);
        }
        let again = |broken| match broken {
            Broken::Unaccepting { full, .. } => full || step.act == ListenerAct::Pause,
            _ => false,
        };
        if let Some((broken, earlier)) = self.find(again) {
            let twice = Diagnostic::new(verb.clone(), "the server accepts nothing already");
            let twice = twice.related(earlier.clone(), broken.label());
            return Some(twice.help("remove one of the two"));
        }
        let broken = Broken::Unaccepting {
            full: step.act != ListenerAct::Pause,
            passes: step.lasts.is_some(),
        };
        self.breaks(broken, verb);
        None
    }

    /// The queue is filled by others, who connect from the client's host.
    fn others_cannot_connect(&self, verb: &Range<usize>) -> Option<Diagnostic> {
        let broken = self.stops(&[Hit::All]);
        let broken = broken.map(|(broken, span)| (span.clone(), broken.label()));
        let down = || {
            self.still_down(End::Client)
                .map(|(_, _, span)| (span.clone(), "the client reboots here".to_owned()))
        };
        let (span, label) = broken.or_else(down)?;
        let message =
            "nobody can fill the queue: the others connect from the client, and have no way";
        let never = Diagnostic::new(verb.clone(), message).related(span, label);
        Some(never.help("take this step before the way is broken, or after it is repaired"))
    }

    /// What is wrong with a step that wants something of a server's connections.
    pub(super) fn unaccepted(&self, at: End, verb: &Range<usize>) -> Option<Diagnostic> {
        let never = |broken| matches!(broken, Broken::Unaccepting { passes: false, .. });
        let (broken, earlier) = self.find(never).filter(|_| at == End::Server)?;
        let message = "the server has no connection, because it accepts none";
        let without = Diagnostic::new(verb.clone(), message);
        let without = without.related(earlier.clone(), broken.label());
        Some(without.help("let it accept again with `for`, or remove this step"))
    }
}
