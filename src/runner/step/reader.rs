//! `reader` on the kernel.

use super::Taken;
use crate::runner::running::Running;
use crate::step::Reader;

pub(super) async fn take(running: &mut Running, step: &Reader) -> Taken {
    let endpoints = running.side(step.at).endpoints.iter();
    endpoints.for_each(|endpoint| endpoint.read_on(step.reads));
    Ok(Ok(()))
}
