//! `[[step]]`: what it does, when, and the keys that go with it.

use std::ops::Range;
use std::time::Duration;

use super::{listener, middlebox, network, program, wiring};
use crate::model::{End, Family};
use crate::scenario::context::{Context, Reported};
use crate::scenario::cursor::{Table, Value};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::document::StepPart;
use crate::scenario::quantity;
use crate::step::{Action, Start, Step};

/// The most that one step writes: more would make "the payload was sent" a matter of buffers.
const MOST_BYTES: u64 = 65536;

pub(super) const ENDS: [End; 2] = [End::Client, End::Server];

#[derive(Clone, Copy)]
enum Kind {
    Exchange,
    Send,
    Crash,
    Resume,
    Reboot,
    Connect,
    Fill,
    Listener,
    Wiring(ReadWiring),
    Network(ReadNetwork),
    Middlebox(ReadMiddlebox),
    Program(ReadProgram),
}

type ReadWiring = fn(&mut Table, &mut Context) -> Result<wiring::Read, Reported>;
type ReadNetwork = fn(&mut Table, &Range<usize>, &mut Context) -> network::Read;

type ReadMiddlebox = fn(&mut Table, &Range<usize>, &mut Context) -> middlebox::Read;

type ReadProgram = fn(&mut Table, &mut Context) -> program::Read;

const KINDS: [(&str, Kind); 22] = [
    ("connect", Kind::Connect),
    ("exchange", Kind::Exchange),
    ("send", Kind::Send),
    ("fill", Kind::Fill),
    ("listener", Kind::Listener),
    ("cable", Kind::Wiring(wiring::cable)),
    ("crash", Kind::Crash),
    ("resume", Kind::Resume),
    ("reboot", Kind::Reboot),
    ("route", Kind::Wiring(wiring::route)),
    ("address", Kind::Network(network::address)),
    ("neighbour", Kind::Network(network::neighbour)),
    ("forwarding", Kind::Network(network::forwarding)),
    ("flap", Kind::Network(network::flap)),
    ("impair", Kind::Network(network::impair)),
    ("filter", Kind::Middlebox(middlebox::filter)),
    ("lose", Kind::Middlebox(middlebox::lose)),
    ("conntrack", Kind::Middlebox(middlebox::conntrack)),
    ("mtu", Kind::Middlebox(middlebox::mtu)),
    ("socket", Kind::Program(program::socket)),
    ("process", Kind::Program(program::process)),
    ("reader", Kind::Program(program::reader)),
];

/// The steps that change something of which each family has its own.
const OF_FAMILY: [&str; 6] = [
    "route",
    "address",
    "neighbour",
    "forwarding",
    "filter",
    "lose",
];

/// The keys of all of them.
const KEYS: [&str; 32] = [
    "action",
    "after",
    "at",
    "backlog",
    "bytes",
    "count",
    "delay",
    "downtime",
    "duplicate",
    "established",
    "every",
    "family",
    "for",
    "fraction",
    "from",
    "host",
    "icmp",
    "jitter",
    "loss",
    "mac",
    "nth",
    "on",
    "payload",
    "period",
    "rate",
    "reorder",
    "seed",
    "to",
    "via",
    "what",
    "when",
    "with",
];

/// One step, or as many as it is to be taken.
pub(super) fn steps(value: &Value, cx: &mut Context) -> Vec<Result<StepPart, Reported>> {
    let (part, repeated) = match step(value, cx) {
        Ok(read) => read,
        Err(reported) => return vec![Err(reported)],
    };
    let Some(Repeated { every, count }) = repeated else {
        return vec![Ok(part)];
    };
    let mut again = part.clone();
    again.step.start = Start::After(every);
    let others = std::iter::repeat_n(again, count as usize - 1);
    std::iter::once(part).chain(others).map(Ok).collect()
}

/// How often a step is taken, and how long after the one before.
struct Repeated {
    every: Duration,
    count: u32,
}

/// More would make a case of hours of what virtual time shows in minutes.
const MOST_TIMES: u64 = 1000;

fn step(value: &Value, cx: &mut Context) -> Result<(StepPart, Option<Repeated>), Reported> {
    let mut table = value.table(cx)?;
    let example = "what the step does, such as `do = \"exchange\"`";
    let kind = table.required("do", example, cx, |value, cx| {
        let is_of_family = value.as_str().is_some_and(|word| OF_FAMILY.contains(&word));
        Ok((value.word(&KINDS, cx)?, is_of_family))
    });
    let (kind, mut verb, is_of_family) = match kind {
        Ok(at) => (at.value.0, at.span, at.value.1),
        Err(reported) => {
            // Nobody knows which keys belong here; but some belong nowhere.
            KEYS.into_iter().for_each(|key| table.allow(key));
            return Err(table.finish(cx).err().unwrap_or(reported));
        }
    };
    let (mut node, mut other) = (None, None);
    let action = match kind {
        Kind::Exchange => exchange(&mut table, cx),
        Kind::Send => send(&mut table, cx),
        Kind::Connect => Ok(Action::Connect),
        Kind::Fill => from(&mut table, cx).map(|from| Action::Fill { from }),
        Kind::Listener => listener::listener(&mut table, cx).map(|(step, word)| {
            verb = word;
            Action::Listener(step)
        }),
        Kind::Crash => host(&mut table, cx).map(|host| Action::Crash { host }),
        Kind::Resume => host(&mut table, cx).map(|host| Action::Resume { host }),
        Kind::Reboot => reboot(&mut table, cx),
        Kind::Wiring(read) => read(&mut table, cx).map(|read| {
            (verb, node, other) = (read.verb, read.node, read.other);
            read.action
        }),
        Kind::Network(read) => read(&mut table, &verb, cx).map(|(step, word, on)| {
            (verb, node) = (word, on);
            Action::Network(step)
        }),
        Kind::Middlebox(read) => read(&mut table, &verb, cx).map(|(step, word, on)| {
            (verb, node) = (word, Some(on));
            Action::Middlebox(step)
        }),
        Kind::Program(read) => read(&mut table, cx).map(|(step, word)| {
            verb = word;
            Action::Program(step)
        }),
    };
    let repeated = match kind {
        Kind::Send => repeated(&mut table, cx),
        _ => Ok(None),
    };
    let family = if is_of_family {
        table.optional("family", cx, |value, cx| value.one_of(&Family::ALL, cx))
    } else {
        Ok(None)
    };
    let start = start(&mut table, cx);
    table.finish(cx)?;
    let ((start, when), family) = (start?, family?);
    let step = Step {
        start,
        action: action?,
        family: family.as_ref().map(|at| at.value),
        line: cx.line(&value.span()),
    };
    let part = StepPart {
        step,
        node,
        other,
        verb,
        when,
        family: family.map(|at| at.span),
    };
    Ok((part, repeated?))
}

fn repeated(table: &mut Table, cx: &mut Context) -> Result<Option<Repeated>, Reported> {
    let every = table.optional("every", cx, Value::duration);
    let count = table.optional("count", cx, |value, cx| {
        value.integer(2..=MOST_TIMES, |count| u32::try_from(count).ok(), cx)
    });
    match (every?, count?) {
        (None, None) => Ok(None),
        (Some(every), Some(count)) => Ok(Some(Repeated {
            every: every.value,
            count: count.value,
        })),
        (Some(every), None) => {
            let alone = Diagnostic::new(every.span, "`every` is given without `count`");
            Err(cx.report(alone.help("add how often in all: `count = 5`")))
        }
        (None, Some(count)) => {
            let alone = Diagnostic::new(count.span, "`count` is given without `every`");
            Err(cx.report(alone.help("add how long after the one before: `every = \"500ms\"`")))
        }
    }
}

fn start(table: &mut Table, cx: &mut Context) -> Result<(Start, Option<Range<usize>>), Reported> {
    let after = table.optional("after", cx, Value::duration);
    let when = table.optional("when", cx, |value, cx| {
        value.quantity(
            "a string such as `\"2 probes answered\"`",
            quantity::when,
            cx,
        )
    });
    match (after?, when?) {
        (None, None) => Ok((Start::AtOnce, None)),
        (Some(after), None) => Ok((Start::After(after.value), None)),
        (None, Some(when)) => Ok((when.value, Some(when.span))),
        (Some(after), Some(when)) => {
            let clash = Diagnostic::new(when.span, "a step has both `after` and `when`")
                .related(after.span, "`after` is given here")
                .help("remove one of them");
            Err(cx.report(clash))
        }
    }
}

fn exchange(table: &mut Table, cx: &mut Context) -> Result<Action, Reported> {
    let from = from(table, cx);
    let payload = table.optional("payload", cx, payload);
    Ok(Action::Exchange {
        from: from?,
        payload: payload?.map_or_else(|| b"hello world".to_vec(), |at| at.value),
    })
}

fn payload(value: &Value, cx: &mut Context) -> Result<Vec<u8>, Reported> {
    let Some(text) = value.as_str() else {
        return Err(value.expected("a string", None, cx));
    };
    let length = text.len() as u64;
    if (1..=MOST_BYTES).contains(&length) {
        return Ok(text.into());
    }
    let message = format!("`{}` is {length} bytes long", value.path());
    let wrong = Diagnostic::new(value.span(), message);
    Err(cx.report(wrong.help(format!("it is 1 to {MOST_BYTES} bytes long"))))
}

fn send(table: &mut Table, cx: &mut Context) -> Result<Action, Reported> {
    let from = from(table, cx);
    let bytes = table.optional("bytes", cx, |value, cx| {
        value.integer(1..=MOST_BYTES, |bytes| u32::try_from(bytes).ok(), cx)
    });
    Ok(Action::Send {
        from: from?,
        bytes: bytes?.map_or(10, |at| at.value),
    })
}

fn from(table: &mut Table, cx: &mut Context) -> Result<End, Reported> {
    let from = table.optional("from", cx, |value, cx| value.one_of(&ENDS, cx))?;
    Ok(from.map_or(End::Client, |at| at.value))
}

fn reboot(table: &mut Table, cx: &mut Context) -> Result<Action, Reported> {
    let host = host(table, cx);
    let downtime = table.optional("downtime", cx, Value::duration);
    let mac = network::mac(table, cx);
    Ok(Action::Reboot {
        host: host?,
        downtime: downtime?.map_or(Duration::ZERO, |at| at.value),
        mac: mac?,
    })
}

fn host(table: &mut Table, cx: &mut Context) -> Result<End, Reported> {
    end(table, "host", cx)
}

fn end(table: &mut Table, key: &'static str, cx: &mut Context) -> Result<End, Reported> {
    let example = format!("`{key} = \"client\"` or `{key} = \"server\"`");
    let end = table.required(key, &example, cx, |value, cx| value.one_of(&ENDS, cx))?;
    Ok(end.value)
}
