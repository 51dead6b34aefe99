//! Hosts that fall silent, and are back before they do so again.

use std::ops::Range;
use std::time::Duration;

use super::{Broken, Network};
use crate::model::End;
use crate::scenario::diagnostic::Diagnostic;

impl Network {
    pub(super) fn crash(&mut self, host: End, verb: &Range<usize>) -> Option<Diagnostic> {
        if let Some(wrong) = self.not_back(host, verb) {
            return Some(wrong);
        }
        if let Some((crashed, earlier)) = self.find(|broken| broken == Broken::Crashed(host)) {
            let message = format!("the {host} has crashed already");
            let twice =
                Diagnostic::new(verb.clone(), message).related(earlier.clone(), crashed.label());
            return Some(
                twice.help("remove one of the two, or let it resume or reboot in between"),
            );
        }
        self.breaks(Broken::Crashed(host), verb);
        None
    }

    pub(super) fn resume(&mut self, host: End, verb: &Range<usize>) -> Option<Diagnostic> {
        if self.heal(|broken| broken == Broken::Crashed(host)) {
            return None;
        }
        let message = format!("the {host} has not crashed when it resumes");
        let early = Diagnostic::new(verb.clone(), message);
        Some(match self.find(|broken| broken == Broken::Forgotten(host)) {
            Some((_, rebooted)) => early
                .related(rebooted.clone(), format!("the {host} reboots here"))
                .help("remove this step: whoever reboots comes back by itself, after its `downtime`"),
            None => early.help(format!(
                "add an earlier step: `do = \"crash\"`, `host = \"{host}\"`"
            )),
        })
    }

    /// Also out of a crash: a machine that hangs is switched off and on.
    pub(super) fn reboot(
        &mut self,
        host: End,
        downtime: Duration,
        verb: &Range<usize>,
    ) -> Option<Diagnostic> {
        if let Some(wrong) = self.not_back(host, verb) {
            return Some(wrong);
        }
        self.heal(|broken| broken == Broken::Crashed(host));
        self.breaks(Broken::Forgotten(host), verb);
        self.returning.retain(|(end, ..)| *end != host);
        self.returning.push((host, Some(downtime), verb.clone()));
        None
    }

    /// The reboot that a host is not back from.
    pub(super) fn still_down(&self, host: End) -> Option<&(End, Option<Duration>, Range<usize>)> {
        self.returning
            .iter()
            .find(|(end, left, _)| *end == host && left.is_some_and(|left| !left.is_zero()))
    }

    fn not_back(&self, host: End, verb: &Range<usize>) -> Option<Diagnostic> {
        let (_, _, earlier) = self.still_down(host)?;
        let message = format!("the {host} is still down from its reboot at this step");
        let early = Diagnostic::new(verb.clone(), message)
            .related(earlier.clone(), format!("the {host} reboots here"));
        Some(early.help("wait for the end of its `downtime` with `after`"))
    }
}
