//! `[connection]` and what is set on each end of it.

use crate::file::{Context, Reported, Value};
use crate::scenario::document::{ConnectionPart, EndPart};
use crate::setting::{
    buffer, keepalive, linger, nodelay, recverr, rto_max, syn_retries, sysctl, user_timeout,
};

pub(super) fn connection(value: &Value, cx: &mut Context) -> Result<ConnectionPart, Reported> {
    let mut table = value.table(cx)?;
    let part = ConnectionPart {
        count: table.optional("count", cx, count),
        client: table.optional("client", cx, end),
        server: table.optional("server", cx, end),
    };
    table.finish(cx)?;
    Ok(part)
}

fn count(value: &Value, cx: &mut Context) -> Result<u16, Reported> {
    value.integer(1..=1000, |count| u16::try_from(count).ok(), cx)
}

fn end(value: &Value, cx: &mut Context) -> Result<EndPart, Reported> {
    let mut table = value.table(cx)?;
    let part = EndPart {
        keepalive: keepalive::KEY.get(&mut table, cx),
        user_timeout: user_timeout::KEY.get(&mut table, cx),
        syn_retries: syn_retries::KEY.get(&mut table, cx),
        rto_max: rto_max::KEY.get(&mut table, cx),
        recverr: recverr::KEY.get(&mut table, cx),
        nodelay: nodelay::KEY.get(&mut table, cx),
        send_buffer: buffer::SEND_KEY.get(&mut table, cx),
        receive_buffer: buffer::RECEIVE_KEY.get(&mut table, cx),
        linger: linger::KEY.get(&mut table, cx),
        sysctl: sysctl::KEY.get(&mut table, cx),
    };
    table.finish(cx)?;
    Ok(part)
}
