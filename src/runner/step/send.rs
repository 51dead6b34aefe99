//! `send` on the kernel. Bytes that do not fit into the send buffer are not written.

use super::StepOutcome;
use crate::runner::running::Running;
use crate::step::SendData;

pub(super) async fn take(running: &mut Running, step: &SendData) -> StepOutcome {
    let from = step.from;
    let before = running.over_count(&[from]);
    let (side, _) = running.pair(from);
    let payload = vec![b'.'; step.bytes as usize];
    let alive = side.endpoints.iter_mut();
    let alive = alive.filter(|endpoint| !endpoint.is_broken());
    let sent = alive.map(|endpoint| endpoint.send(&payload));
    let failed = sent.filter_map(Result::err).last();
    Ok(match failed {
        Some(error) => Err(running.hindrance(&[from], before, error.to_string())),
        None => Ok(()),
    })
}
