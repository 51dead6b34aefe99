//! `[connection]` and what is set on each end of it.

use std::time::Duration;

use super::sysctl;
use crate::file::Diagnostic;
use crate::file::quantity::Unit;
use crate::file::{Context, Reported};
use crate::file::{Problem, quantity};
use crate::file::{Table, Value};
use crate::model::{BufferSize, Keepalive, KeepaliveSeconds, Linger, ProbeCount};
use crate::scenario::document::{ConnectionPart, EndPart};
use crate::suggest::alternatives;

/// `TCP_USER_TIMEOUT` is an int of milliseconds, and negative ones are refused (`do_tcp_setsockopt` in `net/ipv4/tcp.c`).
const LONGEST_USER_TIMEOUT: Duration = Duration::from_millis(2_147_483_647);

/// The shortest time that all three numbers can be derived from.
const SHORTEST_TIME: Duration = Duration::from_secs(3);

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
        keepalive: table.optional("keepalive", cx, keepalive),
        user_timeout: table.optional("user_timeout", cx, user_timeout),
        syn_retries: table.optional("syn_retries", cx, |value, cx| {
            value.integer(1..=127, |count| u8::try_from(count).ok(), cx)
        }),
        rto_max: table.optional("rto_max", cx, rto_max),
        recverr: table.optional("recverr", cx, Value::boolean),
        nodelay: table.optional("nodelay", cx, Value::boolean),
        send_buffer: table.optional("send_buffer", cx, buffer),
        receive_buffer: table.optional("receive_buffer", cx, buffer),
        linger: table.optional("linger", cx, linger),
        sysctl: table.optional("sysctl", cx, sysctl::settings),
    };
    table.finish(cx)?;
    Ok(part)
}

fn rto_max(value: &Value, cx: &mut Context) -> Result<Duration, Reported> {
    let time = value.duration_in(Unit::Milliseconds, cx)?;
    let whole = time.subsec_nanos() % 1_000_000 == 0;
    if whole && (Duration::from_secs(1)..=Duration::from_secs(120)).contains(&time) {
        return Ok(time);
    }
    let message = format!("`{}` is not what TCP_RTO_MAX_MS takes", value.path());
    let problem = Problem::new(message, "it is 1s to 120s, in whole milliseconds");
    Err(value.wrong(problem, cx))
}

fn buffer(value: &Value, cx: &mut Context) -> Result<BufferSize, Reported> {
    value.integer(BufferSize::RANGE, BufferSize::new, cx)
}

fn linger(value: &Value, cx: &mut Context) -> Result<Linger, Reported> {
    let time = value.duration(cx)?;
    Linger::new(time).ok_or_else(|| {
        let message = format!("`{}` is not what a lingering socket takes", value.path());
        let help = "it is 0s to 3600s, in whole seconds";
        value.wrong(Problem::new(message, help), cx)
    })
}

fn user_timeout(value: &Value, cx: &mut Context) -> Result<Duration, Reported> {
    let timeout = value.duration_in(Unit::Milliseconds, cx)?;
    let path = value.path();
    let problem = if timeout.is_zero() {
        let help = "leave the key out: the kernel then gives up by its own rules";
        Problem::new(format!("`{path}` is zero, which means none"), help)
    } else if timeout.subsec_nanos() % 1_000_000 != 0 {
        let message = format!("`{path}` is not a whole number of milliseconds");
        Problem::new(message, "the kernel counts it in milliseconds")
    } else if timeout > LONGEST_USER_TIMEOUT {
        let message = format!("`{path}` is longer than the kernel takes");
        Problem::new(message, "it is 2147483647ms (24.8 days) at most")
    } else {
        return Ok(timeout);
    };
    Err(value.wrong(problem, cx))
}

/// Keepalive in one of its three forms.
fn keepalive(value: &Value, cx: &mut Context) -> Result<Keepalive, Reported> {
    let how = "`{ sysctl = {} }` turns keepalive on with the kernel's own numbers";
    let from_time = from_a_time(value);
    let mut table = value.table_or(Some(from_time.as_deref().unwrap_or(how)), cx)?;
    if table.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(cx.report(empty.help(how)));
    }
    let form = one_form(&table, value, cx);
    let idle = table.optional("idle", cx, seconds);
    let interval = table.optional("interval", cx, seconds);
    let probes = table.optional("probes", cx, probe_count);
    let sysctl = table.optional("sysctl", cx, sysctl);
    let time = table.optional("time", cx, time);
    table.finish(cx)?;
    form?;
    match (sysctl?, time?) {
        (Some(sysctl), _) => Ok(sysctl.value),
        (None, Some(time)) => Ok(Keepalive::Time(time.value)),
        (None, None) => Ok(Keepalive::Options {
            idle: idle?.map(|at| at.value),
            interval: interval?.map(|at| at.value),
            probes: probes?.map(|at| at.value),
        }),
    }
}

/// What to write in place of a time alone.
fn from_a_time(value: &Value) -> Option<String> {
    let time = value.as_integer().map(|number| format!("{number}s"));
    let text = || value.as_str().map(str::to_owned);
    let time = time.or_else(text)?;
    let duration = quantity::duration(&time).ok()?;
    let idle = format!("write `{{ idle = \"{time}\" }}`");
    if duration < SHORTEST_TIME {
        return Some(idle);
    }
    Some(format!(
        "{idle}, or `{{ time = \"{time}\" }}` to derive the interval from it"
    ))
}

/// Refuses a table with keys of more than one form.
fn one_form(table: &Table, value: &Value, cx: &mut Context) -> Result<(), Reported> {
    let options = ["idle", "interval", "probes"];
    let forms: [&[&str]; 3] = [&options, &["sysctl"], &["time"]];
    let given: Vec<Vec<&str>> = forms
        .iter()
        .map(|keys| keys.iter().copied().filter(|key| table.has(key)).collect())
        .filter(|keys: &Vec<&str>| !keys.is_empty())
        .collect();
    if given.len() < 2 {
        return Ok(());
    }
    let clashing: Vec<String> = given.iter().map(|keys| alternatives(keys, "and")).collect();
    let message = format!(
        "`{}` sets {}",
        value.path(),
        clashing.join(" together with ")
    );
    let help = "use one form: `idle`, `interval` and `probes` (socket options), \
                `sysctl` (the namespace's numbers), or `time` (all three from one time)";
    Err(cx.report(Diagnostic::new(value.span(), message).help(help)))
}

/// `keepalive.sysctl`: the namespace's numbers under the names that the kernel gives them.
fn sysctl(value: &Value, cx: &mut Context) -> Result<Keepalive, Reported> {
    let mut table = value.table(cx)?;
    let time = table.optional("time", cx, seconds);
    let intvl = table.optional("intvl", cx, seconds);
    let probes = table.optional("probes", cx, probe_count);
    table.finish(cx)?;
    Ok(Keepalive::Sysctl {
        time: time?.map(|at| at.value),
        intvl: intvl?.map(|at| at.value),
        probes: probes?.map(|at| at.value),
    })
}

fn time(value: &Value, cx: &mut Context) -> Result<KeepaliveSeconds, Reported> {
    let time = seconds(value, cx)?;
    if Duration::from_secs(time.get().into()) >= SHORTEST_TIME {
        return Ok(time);
    }
    let message = format!("`{}` is less than 3s", value.path());
    let help = "the interval is a third of it, and at least 1s";
    Err(value.wrong(Problem::new(message, help), cx))
}

fn seconds(value: &Value, cx: &mut Context) -> Result<KeepaliveSeconds, Reported> {
    let duration = value.duration_in(Unit::WholeSeconds, cx)?;
    let path = value.path();
    let problem = if duration.subsec_nanos() != 0 {
        let message = format!("`{path}` is not a whole number of seconds");
        let help = match duration.as_secs() {
            0 => "the kernel takes whole seconds: write `1s` or more".to_owned(),
            whole => format!(
                "the kernel takes whole seconds: write `{whole}s` or `{}s`",
                whole + 1
            ),
        };
        Problem::new(message, help)
    } else if let Some(seconds) = KeepaliveSeconds::new(duration.as_secs()) {
        return Ok(seconds);
    } else {
        let message = format!("`{path}` cannot be {}s", duration.as_secs());
        Problem::new(
            message,
            format!("the kernel takes 1s to {}s", KeepaliveSeconds::MAX),
        )
    };
    Err(value.wrong(problem, cx))
}

fn probe_count(value: &Value, cx: &mut Context) -> Result<ProbeCount, Reported> {
    value.integer(1..=u64::from(ProbeCount::MAX), ProbeCount::new, cx)
}
