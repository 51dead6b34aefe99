//! `reader` on the kernel.

use super::StepOutcome;
use crate::runner::running::Running;
use crate::step::Reader;

pub(super) async fn take(running: &mut Running, step: &Reader) -> StepOutcome {
    let endpoints = running.side(step.at).endpoints.iter();
    endpoints.for_each(|endpoint| endpoint.read_on(step.reads));
    Ok(Ok(()))
}
