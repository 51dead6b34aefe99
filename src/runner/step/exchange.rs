//! `exchange` on the kernel.

use std::io;

use futures::future::{join, try_join_all};

use super::StepOutcome;
use crate::model::End;
use crate::runner::running::{Hindrance, whole_seconds};
use crate::runner::running::{PATIENCE, Running};
use crate::runner::traffic;
use crate::step::Exchange;

pub(super) async fn take(running: &mut Running, step: &Exchange) -> StepOutcome {
    Ok(exchange(running, step).await)
}

async fn exchange(running: &mut Running, step: &Exchange) -> Result<(), Hindrance> {
    let ends = [End::Client, End::Server];
    let before = running.over_count(&ends);
    let (from, to) = running.pair(step.from);
    let whole_exchange = async {
        let pairs = traffic::pairs(from, to);
        let alive = pairs.filter(|(near, far)| !near.is_over() && !far.is_over());
        let payload = &step.payload;
        try_join_all(alive.map(|(near, far)| traffic::exchange(near, far, payload))).await?;
        join(from.quiet(), to.quiet()).await;
        Ok::<(), io::Error>(())
    };
    let error = match tokio::time::timeout(PATIENCE, whole_exchange).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {}", whole_seconds(PATIENCE)),
    };
    Err(running.hindrance(&ends, before, error))
}
