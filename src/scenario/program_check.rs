//! Programs whose sockets are gone, against what is expected of them.

use super::check::in_case;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::overlay::Overlaid;
use crate::model::End;
use crate::step::Action;

/// Reports each end that is to see something after it has closed its own sockets.
pub(super) fn steps(case: &Overlaid, cx: &mut Context) {
    for part in case.steps.iter().flatten() {
        let (end, why) = match part.step.action {
            Action::Program(step) if step.act.takes_sockets() => (
                step.at,
                "sees nothing any more: it has no socket after this",
            ),
            Action::Listener(step) if step.lasts.is_none() => (
                End::Server,
                "sees nothing: it accepts no connection after this",
            ),
            _ => continue,
        };
        for expected in case.expectations(end) {
            let message = format!("the {end} {why}");
            let blind = Diagnostic::new(part.verb.clone(), message)
                .related(expected.span.clone(), "and this is expected of it")
                .help(format!("expect something of the {} alone", end.peer()));
            cx.report(in_case(case, &part.verb, blind));
        }
    }
}
