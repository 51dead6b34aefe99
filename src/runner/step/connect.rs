//! `connect` on the kernel.

use super::Taken;
use crate::runner::running::Running;
use crate::step::Connect;

pub(super) async fn take(running: &mut Running, _: &Connect) -> Taken {
    running.connect().await?;
    Ok(Ok(()))
}
