//! `topology.firewall`: the stateful filter of a router.

use crate::file::{Context, Key, Reported, Shape, TableKind, Value};
use crate::file::{boolean, machine, tracking_timeout};
use crate::model::{Node, TrackingSeconds};
use crate::scenario::draft::FirewallDraft;

const ON: Key<Node> = machine("on", "The router; may be absent where there is only one.");
const ESTABLISHED: Key<TrackingSeconds> = Key::value(
    "established",
    Shape::Seconds(TrackingSeconds::MAX as u64),
    tracking_timeout,
    "`net.netfilter.nf_conntrack_tcp_timeout_established`: how long an idle flow is tracked; five days, if absent.",
);
const LOOSE: Key<bool> = boolean(
    "loose",
    "`net.netfilter.nf_conntrack_tcp_loose`: a segment from the middle of an unknown flow creates a tracked flow; `true`, if absent.",
);
const NAT: Key<bool> = boolean(
    "nat",
    "The router puts its own address in place of the client's (masquerade); `false`, if absent.",
);

const KIND: TableKind = TableKind {
    name: Some("firewall"),
    about: "A stateful filter on a router: it forwards segments that belong to a tracked flow or begin one, and silently drops all others, from \
            before the connection is opened. Needs a kernel with nf_tables and connection tracking, or `--warp`.",
    keys: &[&ON, &ESTABLISHED, &LOOSE, &NAT],
    relations: &[],
};

pub(super) const KEY: Key<FirewallDraft> = Key::value(
    "firewall",
    Shape::Table(&KIND),
    firewall,
    "The firewall of a router; none, if absent. `{}` keeps the defaults of the kernel.",
);

fn firewall(value: &Value, cx: &mut Context) -> Result<FirewallDraft, Reported> {
    let how = "`{}` is a firewall with the defaults of the kernel";
    let mut table = value.table_or(Some(how), cx)?;
    let on = ON.get(&mut table, cx);
    let established = ESTABLISHED.get(&mut table, cx);
    let loose = LOOSE.get(&mut table, cx);
    let nat = NAT.get(&mut table, cx);
    table.finish(cx)?;
    Ok(FirewallDraft {
        on: on?,
        established: established?.map(|at| at.value),
        loose: loose?.map(|at| at.value),
        nat: nat?.map(|at| at.value),
    })
}
