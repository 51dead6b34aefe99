//! What a file asks of the evidence: retransmissions, RST, ICMP, neighbours, the timer, the state.

use super::expect::count;
use crate::file::Diagnostic;
use crate::file::node;
use crate::file::{At, Context, Given, Reported};
use crate::file::{Table, Value};
use crate::model::{
    CountRange, EvidenceExpectation, ExpectedTimer, Family, IcmpKind, Node, TcpState, icmp_names,
};
use crate::suggest::nearest;

/// The keys of an expectation that are about the evidence.
pub(super) struct Parts {
    retransmissions: Given<CountRange>,
    rst: Given<Pair>,
    icmp: Given<Icmp>,
    neighbours: Given<Pair>,
    timer: Given<ExpectedTimer>,
    state: Given<TcpState>,
}

/// Which messages there are to be, and from whom.
#[derive(Default)]
struct Icmp {
    messages: Vec<(IcmpKind, CountRange)>,
    from: Option<At<Node>>,
}

/// Two counts, of which one at least is given.
pub(super) type Pair = (Option<CountRange>, Option<CountRange>);

impl Parts {
    pub(super) fn of(table: &mut Table, cx: &mut Context) -> Self {
        Self {
            retransmissions: table.optional("retransmissions", cx, count),
            rst: table.optional("rst", cx, |value, cx| pair(value, ["sent", "received"], cx)),
            icmp: table.optional("icmp", cx, icmp),
            neighbours: table.optional("neighbours", cx, |value, cx| {
                pair(value, ["solicited", "advertised"], cx)
            }),
            timer: table.optional("timer", cx, |value, cx| {
                value.one_of(&ExpectedTimer::ALL, cx)
            }),
            state: table.optional("state", cx, |value, cx| value.one_of(&TcpState::ALL, cx)),
        }
    }

    /// What is asked for, and the machine that it names.
    pub(super) fn checked(self) -> Result<(EvidenceExpectation, Option<At<Node>>), Reported> {
        let icmp = value(self.icmp)?.unwrap_or_default();
        let rst = value(self.rst)?.unwrap_or_default();
        let neighbours = value(self.neighbours)?.unwrap_or_default();
        let asked = EvidenceExpectation {
            retransmissions: value(self.retransmissions)?,
            rst_sent: rst.0,
            rst_received: rst.1,
            icmp: icmp.messages,
            icmp_from: icmp.from.as_ref().map(|at| at.value),
            solicited: neighbours.0,
            advertised: neighbours.1,
            timer: value(self.timer)?,
            state: value(self.state)?,
        };
        Ok((asked, icmp.from))
    }
}

fn value<T>(given: Given<T>) -> Result<Option<T>, Reported> {
    Ok(given?.map(|at| at.value))
}

/// A table of counts; a count alone is probably that of the first key.
pub(super) fn table_of_counts<'t>(
    value: &Value<'t>,
    first: &str,
    cx: &mut Context,
) -> Result<Table<'t>, Reported> {
    let key = value.path().rsplit('.').next().unwrap_or_default();
    let help = value
        .as_integer()
        .map(|count| format!("write `{key} = {{ {first} = {count} }}`"));
    value.table_or(help.as_deref(), cx)
}

/// A table of two counts.
pub(super) fn pair(
    value: &Value,
    keys: [&'static str; 2],
    cx: &mut Context,
) -> Result<Pair, Reported> {
    let mut table = table_of_counts(value, keys[0], cx)?;
    if table.is_empty() {
        let [first, second] = keys;
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(cx.report(empty.help(format!("give `{first}` or `{second}`, or remove it"))));
    }
    let [first, second] = keys.map(|key| table.optional(key, cx, count));
    table.finish(cx)?;
    Ok((self::value(first)?, self::value(second)?))
}

/// One table for each family, because their messages differ.
fn icmp(value: &Value, cx: &mut Context) -> Result<Icmp, Reported> {
    let mut table = value.table(cx)?;
    if table.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        let help = "give `ipv4` or `ipv6`, each with messages and how many there are, such as \
                    `ipv4 = { host-unreachable = 3 }`, or `from`, a machine";
        return Err(cx.report(empty.help(help)));
    }
    let families = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];
    let [v4, v6] = families
        .map(|(key, family)| table.optional(key, cx, |value, cx| messages(value, family, cx)));
    let from = table.optional("from", cx, node);
    table.finish(cx)?;
    let mut messages = self::value(v4)?.unwrap_or_default();
    messages.extend(self::value(v6)?.unwrap_or_default());
    Ok(Icmp {
        messages,
        from: from?,
    })
}

fn messages(
    value: &Value,
    family: Family,
    cx: &mut Context,
) -> Result<Vec<(IcmpKind, CountRange)>, Reported> {
    let mut messages = Vec::new();
    let mut reported = None;
    for (name, value) in value.entries(cx)? {
        let message = kind(&name, family, cx).and_then(|kind| Ok((kind, count(&value, cx)?)));
        match message {
            Ok(message) => messages.push(message),
            Err(error) => reported = Some(error),
        }
    }
    reported.map_or(Ok(messages), Err)
}

/// A name, or type and code: `host-unreachable`, `"3/1"`.
fn kind(name: &At<&str>, family: Family, cx: &mut Context) -> Result<IcmpKind, Reported> {
    let names = icmp_names(family == Family::Ipv6);
    let numbers = || {
        let (kind, code) = name.value.split_once('/')?;
        Some((kind.parse().ok()?, code.parse().ok()?))
    };
    let known = names.iter().find(|(known, ..)| *known == name.value);
    let known = known.map(|(_, kind, code)| (*kind, *code));
    if let Some((kind, code)) = known.or_else(numbers) {
        return Ok(IcmpKind { family, kind, code });
    }
    let message = format!("`{}` is not a message of {family}'s ICMP", name.value);
    let help = match nearest(name.value, names.iter().map(|(known, ..)| *known)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let names: Vec<&str> = names.iter().map(|(known, ..)| *known).collect();
            format!(
                "it can be {}, or type and code, `\"3/1\"`",
                names.join(", ")
            )
        }
    };
    Err(cx.report(Diagnostic::new(name.span.clone(), message).help(help)))
}
