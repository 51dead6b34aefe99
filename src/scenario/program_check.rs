//! Programs whose sockets are gone, against what is expected of them.

use super::check::in_case;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::model::{Action, End};
use super::overlay::Overlaid;

/// Reports each end that is to see something after it has closed its own sockets.
pub(super) fn steps(case: &Overlaid, cx: &mut Context) {
    for part in case.steps.iter().flatten() {
        let Action::Program(step) = part.step.action else {
            continue;
        };
        let expected = match step.at {
            End::Client => case.expect_client,
            End::Server => case.expect_server,
        };
        let Ok(Some(expected)) = expected else {
            continue;
        };
        if !step.act.takes_sockets() {
            continue;
        }
        let end = step.at;
        let message = format!("the {end} sees nothing any more: it has no socket after this");
        let blind = Diagnostic::new(part.verb.clone(), message)
            .related(expected.span.clone(), "and this is expected of it")
            .help(format!("expect something of the {} alone", end.peer()));
        cx.report(in_case(case, &part.verb, blind));
    }
}
