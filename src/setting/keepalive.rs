//! `keepalive`: `SO_KEEPALIVE`, and the source of its values.

use std::time::Duration;

use nix::libc;

use super::{EndSetting, SocketOption};
use crate::file::quantity::{self, Unit};
use crate::file::{
    Context, Diagnostic, Key, Problem, Relation, Reported, Shape, Table, TableKind, Value,
    alternatives,
};
use crate::model::{
    EffectiveKeepalive, EndSettings, Keepalive, KeepaliveSeconds, ProbeCount, Sysctl,
};

/// The shortest time from which all three values can be derived.
const SHORTEST_TIME: Duration = Duration::from_secs(3);

const PROBE_COUNT: Shape = Shape::Integer(1, ProbeCount::MAX as u64);

const IDLE: Key<KeepaliveSeconds> = Key::value(
    "idle",
    SECONDS,
    seconds,
    "`TCP_KEEPIDLE`: the idle time before the first probe. If absent, the namespace's sysctl applies.",
);
const INTERVAL: Key<KeepaliveSeconds> = Key::value(
    "interval",
    SECONDS,
    seconds,
    "`TCP_KEEPINTVL`: the time from one unanswered probe to the next. If absent, the namespace's sysctl applies.",
);
const PROBES: Key<ProbeCount> = Key::value(
    "probes",
    PROBE_COUNT,
    probe_count,
    "`TCP_KEEPCNT`: the number of unanswered probes after which the connection ends. If absent, the namespace's sysctl applies.",
);
const SYSCTL: Key<Keepalive> = Key::value(
    "sysctl",
    Shape::Table(&OF_NAMESPACE),
    sysctl,
    "Only `SO_KEEPALIVE` is set on the socket; the namespace's `net.ipv4.tcp_keepalive_*` sysctls apply.",
);
const TIME: Key<KeepaliveSeconds> = Key::value(
    "time",
    SECONDS,
    time,
    "All three values from one time T of at least 3 s: idle T, interval T/3 rounded down to whole seconds, 3 probes.",
);

/// The table `keepalive`.
const KEEPALIVE: TableKind = TableKind {
    name: Some("keepalive"),
    about: "`SO_KEEPALIVE` and its numbers, in one of three forms: socket options (`idle`, `interval`, `probes`), the namespace's \
            sysctls (`sysctl`), or one time that gives all three values (`time`).",
    keys: &[&IDLE, &INTERVAL, &PROBES, &SYSCTL, &TIME],
    relations: &[
        Relation::Any(&["idle", "interval", "probes", "sysctl", "time"]),
        Relation::Excludes(&["sysctl"], &["idle", "interval", "probes", "time"]),
        Relation::Excludes(&["time"], &["idle", "interval", "probes"]),
    ],
};

const NAMESPACE_TIME: Key<KeepaliveSeconds> = Key::value(
    "time",
    SECONDS,
    seconds,
    "`net.ipv4.tcp_keepalive_time`; 7200 s, if absent.",
);
const NAMESPACE_INTVL: Key<KeepaliveSeconds> = Key::value(
    "intvl",
    SECONDS,
    seconds,
    "`net.ipv4.tcp_keepalive_intvl`; 75 s, if absent.",
);
const NAMESPACE_PROBES: Key<ProbeCount> = Key::value(
    "probes",
    PROBE_COUNT,
    probe_count,
    "`net.ipv4.tcp_keepalive_probes`; 9, if absent.",
);

/// The table `keepalive.sysctl`.
const OF_NAMESPACE: TableKind = TableKind {
    name: Some("sysctl"),
    about: "The keepalive sysctls of the namespace, by the kernel's names. An absent value keeps the kernel's default.",
    keys: &[&NAMESPACE_TIME, &NAMESPACE_INTVL, &NAMESPACE_PROBES],
    relations: &[],
};

const SECONDS: Shape = Shape::Seconds(KeepaliveSeconds::MAX as u64);

pub(super) const KEY: Key<Keepalive> = Key::value(
    "keepalive",
    Shape::Table(&KEEPALIVE),
    keepalive,
    "`SO_KEEPALIVE` with its numbers; off, if absent.",
);

pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.keepalive = end.value(&KEY, cx)?;
        Ok(())
    },
    describe,
    |own| own.keepalive = None,
)
.options(|own, _| own.keepalive.map(options).unwrap_or_default())
.sysctls(|own| own.keepalive.map(sysctls).unwrap_or_default());

/// Reads keepalive in one of its three forms.
fn keepalive(value: &Value, cx: &mut Context) -> Result<Keepalive, Reported> {
    let how = "`{ sysctl = {} }` enables keepalive with the kernel's default values";
    let from_time = from_a_time(value);
    let mut table = value.table_or(Some(from_time.as_deref().unwrap_or(how)), cx)?;
    if table.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(cx.report(empty.help(how)));
    }
    let form = one_form(&table, value, cx);
    let idle = IDLE.get(&mut table, cx);
    let interval = INTERVAL.get(&mut table, cx);
    let probes = PROBES.get(&mut table, cx);
    let sysctl = SYSCTL.get(&mut table, cx);
    let time = TIME.get(&mut table, cx);
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

/// Returns the help for a value that is a time instead of a table; `None` for any other value.
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

/// Reports an error if the table has keys of more than one form.
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
                `sysctl` (the namespace's sysctls), or `time` (all three from one time)";
    Err(cx.report(Diagnostic::new(value.span(), message).help(help)))
}

/// Reads `keepalive.sysctl`: the namespace's values, by the kernel's names.
fn sysctl(value: &Value, cx: &mut Context) -> Result<Keepalive, Reported> {
    let mut table = value.table(cx)?;
    let time = NAMESPACE_TIME.get(&mut table, cx);
    let intvl = NAMESPACE_INTVL.get(&mut table, cx);
    let probes = NAMESPACE_PROBES.get(&mut table, cx);
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
    let help = "the interval is a third of this time, and must be at least 1s";
    Err(value.wrong(Problem::new(message, help), cx))
}

fn seconds(value: &Value, cx: &mut Context) -> Result<KeepaliveSeconds, Reported> {
    let duration = value.duration_in(Unit::WholeSeconds, cx)?;
    let path = value.path();
    let problem = if duration.subsec_nanos() != 0 {
        let message = format!("`{path}` is not a whole number of seconds");
        let help = match duration.as_secs() {
            0 => "the kernel accepts only whole seconds: write `1s` or more".to_owned(),
            whole => format!(
                "the kernel accepts only whole seconds: write `{whole}s` or `{}s`",
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
            format!("the kernel accepts 1s to {}s", KeepaliveSeconds::MAX),
        )
    };
    Err(value.wrong(problem, cx))
}

fn probe_count(value: &Value, cx: &mut Context) -> Result<ProbeCount, Reported> {
    value.integer(1..=u64::from(ProbeCount::MAX), ProbeCount::new, cx)
}

fn describe(own: &EndSettings) -> Vec<String> {
    let Some(keepalive) = own.keepalive else {
        return vec!["no keepalive".to_owned()];
    };
    let words = match keepalive {
        Keepalive::Options {
            idle,
            interval,
            probes,
        } => {
            let given = [
                idle.map(|idle| format!("TCP_KEEPIDLE {idle}")),
                interval.map(|interval| format!("TCP_KEEPINTVL {interval}")),
                probes.map(|probes| format!("TCP_KEEPCNT {probes}")),
            ];
            let given: Vec<String> = given.into_iter().flatten().collect();
            format!("keepalive, {}", given.join(", "))
        }
        Keepalive::Sysctl {
            time,
            intvl,
            probes,
        } => {
            let given = [
                time.map_or("tcp_keepalive_time left at 7200s".to_owned(), |time| {
                    format!("tcp_keepalive_time {time}")
                }),
                intvl.map_or("tcp_keepalive_intvl left at 75s".to_owned(), |intvl| {
                    format!("tcp_keepalive_intvl {intvl}")
                }),
                probes.map_or("tcp_keepalive_probes left at 9".to_owned(), |probes| {
                    format!("tcp_keepalive_probes {probes}")
                }),
            ];
            format!("keepalive by sysctl, {}", given.join(", "))
        }
        Keepalive::Time(time) => format!(
            "keepalive from one time, {time}: {time}, {}s, 3",
            time.get() / 3
        ),
    };
    vec![words]
}

fn options(keepalive: Keepalive) -> Vec<SocketOption> {
    let numbers = EffectiveKeepalive::new(keepalive);
    let (idle, interval, probes) = match keepalive {
        Keepalive::Sysctl { .. } => (false, false, false),
        Keepalive::Options {
            idle,
            interval,
            probes,
        } => (idle.is_some(), interval.is_some(), probes.is_some()),
        Keepalive::Time(_) => (true, true, true),
    };
    // At most 32767 seconds, so the value fits into an int.
    let seconds = |time: Duration| time.as_secs() as i32;
    let options = [
        (true, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (
            idle,
            libc::IPPROTO_TCP,
            libc::TCP_KEEPIDLE,
            seconds(numbers.idle),
        ),
        (
            interval,
            libc::IPPROTO_TCP,
            libc::TCP_KEEPINTVL,
            seconds(numbers.interval),
        ),
        (
            probes,
            libc::IPPROTO_TCP,
            libc::TCP_KEEPCNT,
            numbers.probes as i32,
        ),
    ];
    let given = options.into_iter().filter(|(is_given, ..)| *is_given);
    given
        .map(|(_, level, name, value)| SocketOption::new(level, name, value))
        .collect()
}

/// Returns the sysctls of keepalive. The `net.ipv4.tcp_keepalive_*` sysctls apply to both families
/// (`net/ipv4/tcp_timer.c`).
fn sysctls(keepalive: Keepalive) -> Vec<Sysctl> {
    let Keepalive::Sysctl {
        time,
        intvl,
        probes,
    } = keepalive
    else {
        return Vec::new();
    };
    let given = [
        ("time", time.map(|value| value.get().to_string())),
        ("intvl", intvl.map(|value| value.get().to_string())),
        ("probes", probes.map(|value| value.get().to_string())),
    ];
    given
        .into_iter()
        .filter_map(|(name, value)| {
            let name = format!("net.ipv4.tcp_keepalive_{name}");
            Some(Sysctl {
                name,
                value: value?,
            })
        })
        .collect()
}
