//! The expectations about the evidence: retransmissions, RST, ICMP, neighbours, the timer, the
//! state.

use super::count::{a_count, count};
use crate::file::Diagnostic;
use crate::file::{At, Context, Given, Reported};
use crate::file::{Key, Names, Relation, Shape, Table, TableKind, Value, machine};
use crate::model::{
    CountRange, EvidenceExpectation, ExpectedTimer, Family, IcmpKind, Node, TcpState, icmp_names,
};
use crate::suggest::nearest;

pub(super) const RETRANSMISSIONS: Key<CountRange> = count(
    "retransmissions",
    "Segments with data, SYN or FIN that this end sent more than once.",
);
pub(super) const RST: Key<Pair> = Key::value(
    "rst",
    Shape::Table(&RST_KIND),
    |value, cx| pair(value, [&RST_SENT, &RST_RECEIVED], cx),
    "RST segments at this end.",
);
pub(super) const ICMP: Key<Icmp> = Key::value(
    "icmp",
    Shape::Table(&ICMP_KIND),
    icmp,
    "ICMP errors about the connection that this end received while the connection existed.",
);
pub(super) const NEIGHBOURS: Key<Pair> = Key::value(
    "neighbours",
    Shape::Table(&NEIGHBOURS_KIND),
    |value, cx| pair(value, [&SOLICITED, &ADVERTISED], cx),
    "ARP or NDP at this end.",
);
pub(super) const TIMER: Key<ExpectedTimer> = Key::value(
    "timer",
    Shape::OneOf(|| ExpectedTimer::ALL.map(|timer| timer.to_string()).into()),
    |value, cx| value.one_of(&ExpectedTimer::ALL, cx),
    "The timer of the socket at the last look before the outcome, as `ss -o` names it: `on` is retransmission.",
);
pub(super) const STATE: Key<TcpState> = Key::value(
    "state",
    Shape::OneOf(|| TcpState::ALL.map(|state| state.to_string()).into()),
    |value, cx| value.one_of(&TcpState::ALL, cx),
    "The state of the socket after the outcome.",
);

const RST_SENT: Key<CountRange> = count("sent", "How many this end sent.");
const RST_RECEIVED: Key<CountRange> = count("received", "How many this end received.");
const RST_KIND: TableKind = TableKind {
    name: None,
    about: "RST segments.",
    keys: &[&RST_SENT, &RST_RECEIVED],
    relations: &[Relation::Any(&["sent", "received"])],
};

const SOLICITED: Key<CountRange> = count(
    "solicited",
    "How many ARP requests or neighbour solicitations this end sent.",
);
const ADVERTISED: Key<CountRange> = count("advertised", "How many answers this end received.");
const NEIGHBOURS_KIND: TableKind = TableKind {
    name: None,
    about: "ARP or NDP.",
    keys: &[&SOLICITED, &ADVERTISED],
    relations: &[Relation::Any(&["solicited", "advertised"])],
};

const ICMP_IPV4: Key<Vec<(IcmpKind, CountRange)>> = Key::value(
    "ipv4",
    Shape::Map(Names::Messages(Family::Ipv4), &Shape::Count),
    |value, cx| messages(value, Family::Ipv4, cx),
    "The number of each message, by name or by type and code, in the case over IPv4: `host-unreachable = 3` or `\"3/1\" = 3`.",
);
const ICMP_IPV6: Key<Vec<(IcmpKind, CountRange)>> = Key::value(
    "ipv6",
    Shape::Map(Names::Messages(Family::Ipv6), &Shape::Count),
    |value, cx| messages(value, Family::Ipv6, cx),
    "The same in the case over IPv6: `address-unreachable = 3` or `\"1/3\" = 3`.",
);
const FROM: Key<Node> = machine(
    "from",
    "The machine that sent all of them; there was at least one.",
);
const ICMP_KIND: TableKind = TableKind {
    name: None,
    about: "ICMP errors.",
    keys: &[&ICMP_IPV4, &ICMP_IPV6, &FROM],
    relations: &[Relation::Any(&["ipv4", "ipv6", "from"])],
};

/// The keys of an expectation that are about the evidence.
pub(super) struct Parts {
    retransmissions: Given<CountRange>,
    rst: Given<Pair>,
    icmp: Given<Icmp>,
    neighbours: Given<Pair>,
    timer: Given<ExpectedTimer>,
    state: Given<TcpState>,
}

/// The expected ICMP errors, and the machine that sends them.
#[derive(Clone, Default)]
pub(super) struct Icmp {
    messages: Vec<(IcmpKind, CountRange)>,
    from: Option<At<Node>>,
}

/// Two counts; at least one of them is given.
pub(super) type Pair = (Option<CountRange>, Option<CountRange>);

impl Parts {
    pub(super) fn of(table: &mut Table, cx: &mut Context) -> Self {
        Self {
            retransmissions: RETRANSMISSIONS.get(table, cx),
            rst: RST.get(table, cx),
            icmp: ICMP.get(table, cx),
            neighbours: NEIGHBOURS.get(table, cx),
            timer: TIMER.get(table, cx),
            state: STATE.get(table, cx),
        }
    }

    /// The expectation, and the machine that `icmp.from` names.
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

/// Reads a table of counts. For a bare integer, the help suggests it as the count of the first key.
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

/// Reads a table of two counts.
pub(super) fn pair(
    value: &Value,
    keys: [&Key<CountRange>; 2],
    cx: &mut Context,
) -> Result<Pair, Reported> {
    let [first, second] = keys.map(Key::name);
    let mut table = table_of_counts(value, first, cx)?;
    if table.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(cx.report(empty.help(format!("give `{first}` or `{second}`, or remove it"))));
    }
    let [first, second] = keys.map(|key| key.get(&mut table, cx));
    table.finish(cx)?;
    Ok((self::value(first)?, self::value(second)?))
}

/// Reads `icmp`. Each family has a separate table, because the families have different messages.
fn icmp(value: &Value, cx: &mut Context) -> Result<Icmp, Reported> {
    let mut table = value.table(cx)?;
    if table.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        let help = "give `ipv4` or `ipv6`, each with messages and how many there are, such as \
                    `ipv4 = { host-unreachable = 3 }`, or `from`, a machine";
        return Err(cx.report(empty.help(help)));
    }
    let [v4, v6] = [ICMP_IPV4, ICMP_IPV6].map(|key| key.get(&mut table, cx));
    let from = FROM.get(&mut table, cx);
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
        let message = kind(&name, family, cx).and_then(|kind| Ok((kind, a_count(&value, cx)?)));
        match message {
            Ok(message) => messages.push(message),
            Err(error) => reported = Some(error),
        }
    }
    reported.map_or(Ok(messages), Err)
}

/// Reads a name, or type and code: `host-unreachable`, `"3/1"`.
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
    let message = format!("`{}` is not an ICMP error of {family}", name.value);
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
