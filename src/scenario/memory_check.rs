//! What the steps of a case claim of TCP's memory, which is the whole machine's.

use super::case_error::in_case;
use super::draft::CaseDraft;
use super::memory::written_by;
use crate::file::Context;
use crate::file::Diagnostic;
use crate::model::TCP_MEMORY;

/// Reports the last step that writes where all that is written may take more than a case may have.
pub(super) fn steps(case: &CaseDraft, cx: &mut Context) {
    let parts = || case.steps().flatten();
    let writes = parts().rfind(|part| written_by(&part.step.action).is_some());
    let (Some(writes), Ok(connection)) = (writes, case.connection()) else {
        return;
    };
    let claim = connection.tcp_memory(parts().map(|part| &part.step.action));
    if claim <= TCP_MEMORY {
        return;
    }
    let message = format!(
        "what is written may take {} MB, and a case may take {} MB of the memory that TCP has for the whole machine",
        claim.div_ceil(1 << 20),
        TCP_MEMORY >> 20
    );
    let too_much = Diagnostic::new(writes.verb.clone(), message).help(
        "open fewer connections (`count`), write less, or set `send_buffer` and `receive_buffer`, or smaller numbers in \
         `net.ipv4.tcp_wmem` and `net.ipv4.tcp_rmem`",
    );
    cx.report(in_case(case, &writes.verb, too_much));
}
