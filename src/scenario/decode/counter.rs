//! `counters`: the kernel's counters, by the names that the kernel gives them, with the expected
//! increase of each.

use super::count::a_count;
use crate::file::Diagnostic;
use crate::file::Value;
use crate::file::{At, Context, Reported};
use crate::file::{Key, Names, Shape};
use crate::model::{CountRange, CounterName};
use crate::suggest::nearest;

pub(super) const COUNTERS: Key<Vec<(CounterName, CountRange)>> = Key::value(
    "counters",
    Shape::Map(Names::Counters, &Shape::Count),
    counters,
    "The increase of the kernel's counters in this end's namespace since zero time: `\"TcpExt:TCPKeepAlive\" = 3` (`/proc/net/netstat`, \
     `snmp`, `snmp6`).",
);

/// The name prefixes of the counters of message types in `/proc/net/snmp` and `/proc/net/snmp6`
/// (`icmpmsg_put`, `snmp6_seq_show_icmpv6msg`).
const KINDS: [&str; 2] = ["InType", "OutType"];

fn counters(value: &Value, cx: &mut Context) -> Result<Vec<(CounterName, CountRange)>, Reported> {
    let mut counters = Vec::new();
    let mut reported = None;
    for (name, value) in value.entries(cx)? {
        let counter = counter_name(&name, cx).and_then(|name| Ok((name, a_count(&value, cx)?)));
        match counter {
            Ok(counter) => counters.push(counter),
            Err(error) => reported = Some(error),
        }
    }
    reported.map_or(Ok(counters), Err)
}

/// Checks only the syntax of the name: the set of counters depends on the kernel that runs the
/// case.
fn counter_name(name: &At<&str>, cx: &mut Context) -> Result<CounterName, Reported> {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    let valid = match name.value.split_once(':') {
        Some((group, counter)) => word(group) && word(counter),
        // Every name in /proc/net/snmp6 begins with its protocol: Ip6, Icmp6, Udp6, UdpLite6.
        None => word(name.value) && name.value.contains('6'),
    };
    if !valid {
        let message = format!("`{}` is not the name of a counter", name.value);
        let help = "write `Group:Name` as in /proc/net/netstat and /proc/net/snmp, \
                    such as `\"TcpExt:TCPKeepAlive\"`, or a name of /proc/net/snmp6, such as `Icmp6InDestUnreachs`";
        return Err(cx.report(Diagnostic::new(name.span.clone(), message).help(help)));
    }
    message_type(name, cx)?;
    Ok(CounterName(name.value.to_owned()))
}

/// Checks the name of a counter of an ICMP message type completely. The kernel lists such a counter
/// only after its first message, so a counter that is not listed counts as zero. A misspelled name
/// would therefore count as zero for ever.
fn message_type(name: &At<&str>, cx: &mut Context) -> Result<(), Reported> {
    let [group, rest] = if let Some(rest) = name.value.strip_prefix("IcmpMsg:") {
        ["IcmpMsg:", rest]
    } else if ["Icmp6InType", "Icmp6OutType"]
        .iter()
        .any(|start| name.value.starts_with(start))
    {
        name.value.split_at("Icmp6".len()).into()
    } else {
        return Ok(());
    };
    let (kind, number) = rest.split_at(rest.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    let known = number
        .parse::<u8>()
        .ok()
        .filter(|known| known.to_string() == number);
    if KINDS.contains(&kind) && known.is_some() {
        return Ok(());
    }
    let message = format!("`{}` is not the name of a counter", name.value);
    let meant = nearest(kind, KINDS).zip(known);
    let help = match meant {
        Some((kind, known)) => format!("did you mean `{group}{kind}{known}`?"),
        None => format!(
            "write `{group}InType` or `{group}OutType` and the number of the message's type, 0 to 255"
        ),
    };
    Err(cx.report(Diagnostic::new(name.span.clone(), message).help(help)))
}
