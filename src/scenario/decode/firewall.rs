//! `topology.firewall`: what a router lets through.

use crate::file::{Context, Reported};
use crate::file::{Value, node, tracking_timeout};
use crate::scenario::document::FirewallPart;

pub(super) fn firewall(value: &Value, cx: &mut Context) -> Result<FirewallPart, Reported> {
    let how = "`{}` is one with the kernel's own settings";
    let mut table = value.table_or(Some(how), cx)?;
    let on = table.optional("on", cx, node);
    let established = table.optional("established", cx, tracking_timeout);
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
