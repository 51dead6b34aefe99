//! `connect` on the kernel.

use super::StepOutcome;
use crate::runner::running::Running;
use crate::step::Connect;

pub(super) async fn take(running: &mut Running, _: &Connect) -> StepOutcome {
    running.connect().await?;
    Ok(Ok(()))
}
