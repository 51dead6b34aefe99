//! `topology.firewall`: what a router lets through.

use super::graph;
use crate::model::TrackingSeconds;
use crate::scenario::context::{Context, Reported};
use crate::scenario::cursor::Value;
use crate::scenario::document::FirewallPart;
use crate::scenario::quantity::Problem;

pub(super) fn firewall(value: &Value, cx: &mut Context) -> Result<FirewallPart, Reported> {
    let how = "`{}` is one with the kernel's own settings";
    let mut table = value.table_or(Some(how), cx)?;
    let on = table.optional("on", cx, graph::node);
    let established = table.optional("established", cx, established);
    let loose = table.optional("loose", cx, Value::boolean);
    let nat = table.optional("nat", cx, Value::boolean);
    table.finish(cx)?;
    Ok(FirewallPart {
        on: on?,
        established: established?.map(|at| at.value),
        loose: loose?.map(|at| at.value),
        nat: nat?.map(|at| at.value),
    })
}

pub(super) fn established(value: &Value, cx: &mut Context) -> Result<TrackingSeconds, Reported> {
    let timeout = value.duration(cx)?;
    let seconds = (timeout.subsec_nanos() == 0)
        .then(|| TrackingSeconds::new(timeout.as_secs()))
        .flatten();
    seconds.ok_or_else(|| {
        let message = format!("`{}` is no timeout that the kernel takes", value.path());
        let help = format!(
            "it takes whole seconds, 1s to {}s (24.8 days)",
            TrackingSeconds::MAX
        );
        value.wrong(Problem::new(message, help), cx)
    })
}
