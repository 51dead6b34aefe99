//! `fill` on the kernel.

use std::time::Duration;

use futures::future::try_join_all;

use super::StepOutcome;
use crate::runner::running::Running;
use crate::step::Fill;

/// A receive window that has not opened for this time is full: a peer that reads data acknowledges
/// it at once.
const FULL: Duration = Duration::from_millis(300);

pub(super) async fn take(running: &mut Running, step: &Fill) -> StepOutcome {
    let from = step.from;
    let before = running.over_count(&[from]);
    let (side, _) = running.pair(from);
    let endpoints = side.endpoints.iter_mut();
    let alive = endpoints.filter(|endpoint| !endpoint.is_broken());
    let filled = try_join_all(alive.map(|endpoint| endpoint.fill(FULL))).await;
    Ok(filled
        .map(drop)
        .map_err(|error| running.hindrance(&[from], before, error.to_string())))
}
