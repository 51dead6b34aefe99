//! `rto_max`: `TCP_RTO_MAX_MS`.

use std::time::Duration;

use nix::libc;

use super::{EndSetting, OptionKind, SocketOption};
use crate::file::quantity::Unit;
use crate::file::{Context, Key, Problem, Reported, Shape, Value};
use crate::text::seconds;

/// The number of the option in `include/uapi/linux/tcp.h`.
const TCP_RTO_MAX_MS: i32 = 44;

pub(super) const KEY: Key<Duration> = Key::value(
    "rto_max",
    Shape::Duration,
    rto_max,
    "`TCP_RTO_MAX_MS`: the longest retransmission timeout, 1 s to 120 s. The case is skipped before Linux 6.15.",
);

/// The oracle has no rule for it, because it changes the retransmission timer.
pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.rto_max = end.value(&KEY, cx)?;
        Ok(())
    },
    |own| {
        let longest = own.rto_max.into_iter();
        longest
            .map(|longest| format!("TCP_RTO_MAX_MS {}", seconds(longest)))
            .collect()
    },
    |own| own.rto_max = None,
)
.options(|own, _| own.rto_max.into_iter().map(option).collect())
.without_rule();

fn option(longest: Duration) -> SocketOption {
    let milliseconds = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    SocketOption {
        kind: OptionKind::Recent {
            word: "TCP_RTO_MAX_MS",
            since: "Linux 6.15",
        },
        ..SocketOption::new(libc::IPPROTO_TCP, TCP_RTO_MAX_MS, milliseconds)
    }
}

fn rto_max(value: &Value, cx: &mut Context) -> Result<Duration, Reported> {
    let time = value.duration_in(Unit::Milliseconds, cx)?;
    let whole = time.subsec_nanos() % 1_000_000 == 0;
    if whole && (Duration::from_secs(1)..=Duration::from_secs(120)).contains(&time) {
        return Ok(time);
    }
    let message = format!("`{}` is not a valid TCP_RTO_MAX_MS value", value.path());
    let problem = Problem::new(message, "the range is 1s to 120s, in whole milliseconds");
    Err(value.wrong(problem, cx))
}
