//! The kernel's counters of one namespace, as `/proc/net/netstat`, `/proc/net/snmp` and
//! `/proc/net/snmp6` show them.

use std::fs::File;
use std::io::{self, Read};

use super::error::LabError;
use super::node::LabNode;
use crate::model::{CounterName, Counters};

/// Reads all counters of the node's namespace.
///
/// # Errors
/// [`LabError::Socket`] if a file cannot be read.
pub(crate) async fn read(node: &LabNode) -> Result<Counters, LabError> {
    let name = node.node.to_string();
    node.namespace
        .run(move || {
            read_here().map_err(|source| LabError::Socket {
                doing: "read the kernel's counters".to_owned(),
                node: name,
                source,
            })
        })
        .await
}

/// Returns the increase of each counter between two readings. A counter that did not increase is
/// included with 0.
#[must_use]
pub(crate) fn rises(before: &Counters, after: &Counters) -> Counters {
    let rise = |(name, value): (&CounterName, &u64)| {
        let rise = value.saturating_sub(before.get(name).copied().unwrap_or(0));
        (name.clone(), rise)
    };
    after.iter().map(rise).collect()
}

/// Reads the counters of the calling thread's namespace, which `/proc/thread-self/net` shows.
fn read_here() -> io::Result<Counters> {
    let mut counters = Counters::new();
    for file in ["netstat", "snmp"] {
        parse_paired(
            &whole(&format!("/proc/thread-self/net/{file}"))?,
            &mut counters,
        );
    }
    match whole("/proc/thread-self/net/snmp6") {
        Ok(text) => parse_columns(&text, &mut counters),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(counters)
}

/// Reads a whole file of procfs, whose size is not known in advance. `fs::read_to_string` would
/// query the size nevertheless and start with a small buffer.
fn whole(path: &str) -> io::Result<String> {
    const CAPACITY: usize = 1 << 16;
    let mut text = String::with_capacity(CAPACITY);
    File::open(path)?.take(u64::MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Parses pairs of lines: a line of names, then a line of values. Both start with the name of the
/// group and a colon.
fn parse_paired(text: &str, counters: &mut Counters) {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let Some((group, names)) = names.split_once(':') else {
            continue;
        };
        let Some((_, values)) = values.split_once(':') else {
            continue;
        };
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            // Some are settings, not counters, and may be negative (Tcp:MaxConn).
            if let Ok(value) = value.parse() {
                counters.insert(CounterName(format!("{group}:{name}")), value);
            }
        }
    }
}

/// Parses lines of one name and one value each.
fn parse_columns(text: &str, counters: &mut Counters) {
    for line in text.lines() {
        if let Some((name, Ok(value))) = line
            .split_once(char::is_whitespace)
            .map(|(n, v)| (n, v.trim().parse()))
        {
            counters.insert(CounterName(name.to_owned()), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(counters: &Counters, name: &str) -> Option<u64> {
        counters.get(&CounterName(name.to_owned())).copied()
    }

    #[test]
    fn names_and_values_are_paired_by_group() {
        let mut counters = Counters::new();
        parse_paired(
            "Tcp: MaxConn InSegs\nTcp: -1 42\nUdp: InDatagrams\nUdp: 7\n",
            &mut counters,
        );
        assert_eq!(counter(&counters, "Tcp:InSegs"), Some(42));
        assert_eq!(counter(&counters, "Udp:InDatagrams"), Some(7));
        assert_eq!(counter(&counters, "Tcp:MaxConn"), None);
    }

    #[test]
    fn columns_are_read_whatever_their_width() {
        let mut counters = Counters::new();
        parse_columns("Icmp6InDestUnreachs             \t3\n", &mut counters);
        assert_eq!(counter(&counters, "Icmp6InDestUnreachs"), Some(3));
    }

    #[test]
    fn a_counter_that_did_not_rise_is_included() {
        let reading =
            |a, b| Counters::from([(CounterName("a".into()), a), (CounterName("b".into()), b)]);
        assert_eq!(rises(&reading(1, 5), &reading(4, 5)), reading(3, 0));
    }
}
