//! `user_timeout`: `TCP_USER_TIMEOUT` (RFC 5482).

use std::time::Duration;

use nix::libc;

use super::{EndSetting, SocketOption};
use crate::file::quantity::Unit;
use crate::file::{Context, Key, Problem, Reported, Shape, Value};
use crate::text::seconds;

/// `TCP_USER_TIMEOUT` is an int of milliseconds, and negative ones are refused (`do_tcp_setsockopt`
/// in `net/ipv4/tcp.c`).
const LONGEST: Duration = Duration::from_millis(2_147_483_647);

pub(super) const KEY: Key<Duration> = Key::value(
    "user_timeout",
    Shape::Duration,
    user_timeout,
    "`TCP_USER_TIMEOUT` (RFC 5482): how long data or probes may stay unacknowledged. Whole milliseconds, up to 24.8 days.",
);

pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.user_timeout = end.value(&KEY, cx)?;
        Ok(())
    },
    |own| {
        let timeout = own.user_timeout.into_iter();
        timeout
            .map(|timeout| format!("TCP_USER_TIMEOUT {}", seconds(timeout)))
            .collect()
    },
    |own| own.user_timeout = None,
)
.options(|own, _| {
    let timeout = own.user_timeout.into_iter();
    let milliseconds =
        timeout.map(|timeout| i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX));
    milliseconds
        .map(|value| SocketOption::new(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, value))
        .collect()
});

fn user_timeout(value: &Value, cx: &mut Context) -> Result<Duration, Reported> {
    let timeout = value.duration_in(Unit::Milliseconds, cx)?;
    let path = value.path();
    let problem = if timeout.is_zero() {
        let help = "omit the key: the kernel then uses its own timeouts";
        Problem::new(format!("`{path}` is zero, which means no timeout"), help)
    } else if timeout.subsec_nanos() % 1_000_000 != 0 {
        let message = format!("`{path}` is not a whole number of milliseconds");
        Problem::new(message, "the kernel counts this timeout in milliseconds")
    } else if timeout > LONGEST {
        let message = format!("`{path}` is longer than the kernel accepts");
        Problem::new(message, "the maximum is 2147483647ms (24.8 days)")
    } else {
        return Ok(timeout);
    };
    Err(value.wrong(problem, cx))
}
