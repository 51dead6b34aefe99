//! The check of the TCP memory that the steps of a case may need.

use super::case_error::in_case;
use super::draft::CaseDraft;
use super::memory::written_by;
use crate::file::Context;
use crate::file::Diagnostic;
use crate::model::TCP_MEMORY;

/// Reports an error at the last step that writes, if the written data may need more TCP memory than
/// the limit for a case.
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
        "the written data may take {} MB of the machine's TCP memory, but a case may take {} MB at most",
        claim.div_ceil(1 << 20),
        TCP_MEMORY >> 20
    );
    let too_much = Diagnostic::new(writes.verb.clone(), message).help(
        "open fewer connections (`count`), write less, or set `send_buffer` and `receive_buffer`, or smaller numbers in \
         `net.ipv4.tcp_wmem` and `net.ipv4.tcp_rmem`",
    );
    cx.report(in_case(case, &writes.verb, too_much));
}
