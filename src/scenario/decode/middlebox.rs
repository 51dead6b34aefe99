//! The steps `filter`, `lose`, `conntrack` and `mtu`.

use std::ops::Range;

use super::{firewall, graph};
use crate::model::{End, LARGEST_MTU, Node, SMALLEST_MTU, icmp_names};
use crate::scenario::context::{At, Context, Reported};
use crate::scenario::cursor::{Table, Value};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::quantity::{self, Problem};
use crate::scenario::suggest::nearest;
use crate::step::{Filter, FilterVerdict, Loss, Middlebox, Segments, Unreachable, Which};

const ENDS: [End; 2] = [End::Client, End::Server];

/// What a file can say of a segment.
const SEGMENTS: [(&str, Segments); 5] = [
    ("any", Segments::Any),
    ("probes", Segments::Probes),
    ("answers", Segments::Answers),
    ("data", Segments::Data),
    ("rst", Segments::Rst),
];

/// More are easier said with a fraction.
const LAST_NUMBER: u64 = 1000;

/// A step, the word that says what it does, and the node.
pub(super) type Read = Result<(Middlebox, Range<usize>, Range<usize>), Reported>;

#[derive(Clone, Copy)]
enum FilterAction {
    Drop,
    Reject,
    Remove,
}

pub(super) fn filter(table: &mut Table, _: &Range<usize>, cx: &mut Context) -> Read {
    let on = on(table, cx);
    let words = [
        ("drop", FilterAction::Drop),
        ("reject", FilterAction::Reject),
        ("remove", FilterAction::Remove),
    ];
    let example = "what the filter does: `action = \"drop\"`, `\"reject\"` or `\"remove\"`";
    let action = table.required("action", example, cx, |value, cx| value.word(&words, cx))?;
    let verdict = match action.value {
        FilterAction::Remove => {
            let on = on?;
            return Ok((Middlebox::Unfilter { on: on.value }, action.span, on.span));
        }
        FilterAction::Drop => Ok(FilterVerdict::Drop),
        FilterAction::Reject => {
            let example = "what the sender gets: `with = \"rst\"`, or an ICMP message such as \
                           `with = \"port-unreachable\"`";
            let with = table.required("with", example, cx, rejection);
            with.map(|at| at.value)
        }
    };
    let to = table.optional("to", cx, |value, cx| value.one_of(&ENDS, cx));
    let mut words = SEGMENTS.to_vec();
    words.push(("established", Segments::Established));
    let what = table.optional("what", cx, |value, cx| value.word(&words, cx));
    let (on, verdict, to, what) = (on?, verdict?, to?, what?);
    let filter = Filter {
        to: to.map(|at| at.value),
        what: what.map_or(Segments::Any, |at| at.value),
        verdict,
    };
    let on_value = on.value;
    let step = Middlebox::Filter {
        on: on_value,
        filter,
    };
    Ok((step, action.span, on.span))
}

fn rejection(value: &Value, cx: &mut Context) -> Result<FilterVerdict, Reported> {
    let Some(name) = value.as_str() else {
        return Err(value.expected("`rst` or the name of an ICMP message", None, cx));
    };
    if name == "rst" {
        return Ok(FilterVerdict::Rst);
    }
    let code = |is_ipv6| {
        let mut known = unreachables(is_ipv6);
        known
            .find(|(known, _)| *known == name)
            .map(|(_, code)| code)
    };
    let (ipv4, ipv6) = (code(false), code(true));
    if ipv4.is_some() || ipv6.is_some() {
        return Ok(FilterVerdict::Icmp(Unreachable { ipv4, ipv6 }));
    }
    let message = format!("`{name}` is not a value of `{}`", value.path());
    let names: Vec<&str> = std::iter::once("rst")
        .chain(unreachables(false).map(|(name, _)| name))
        .chain(unreachables(true).map(|(name, _)| name))
        .collect();
    let help = match nearest(name, names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let list = |is_ipv6| {
                let names: Vec<&str> = unreachables(is_ipv6).map(|(name, _)| name).collect();
                names.join(", ")
            };
            let (v4, v6) = (list(false), list(true));
            format!("it can be rst; over IPv4: {v4}; over IPv6: {v6}")
        }
    };
    Err(value.wrong(Problem::new(message, help), cx))
}

/// The messages that a filter can send: destination unreachable, but for the one that is about a packet's size.
fn unreachables(is_ipv6: bool) -> impl Iterator<Item = (&'static str, u8)> {
    let kind = if is_ipv6 { 1 } else { 3 };
    let fits = move |(name, of, code): &(&'static str, u8, u8)| {
        (*of == kind && *name != "fragmentation-needed").then_some((*name, *code))
    };
    icmp_names(is_ipv6).iter().filter_map(fits)
}

#[derive(Clone, Copy)]
enum LossAction {
    Start,
    Stop,
}

pub(super) fn lose(table: &mut Table, _: &Range<usize>, cx: &mut Context) -> Read {
    let on = on(table, cx);
    let to = to(table, "the direction in which they get lost", cx);
    let words = [("start", LossAction::Start), ("stop", LossAction::Stop)];
    let action = table.optional("action", cx, |value, cx| value.word(&words, cx))?;
    let stops = action
        .as_ref()
        .is_some_and(|at| matches!(at.value, LossAction::Stop));
    if stops {
        let (on, to) = (on?, to?);
        let (on_value, to) = (on.value, to.value);
        let span = action.map_or(on.span.clone(), |at| at.span);
        return Ok((Middlebox::StopLosing { on: on_value, to }, span, on.span));
    }
    let what = table.optional("what", cx, |value, cx| value.word(&SEGMENTS, cx));
    let which = which(table, cx);
    let (on, to, what, which) = (on?, to?, what?, which?);
    let loss = Loss {
        to: to.value,
        what: what.as_ref().map_or(Segments::Any, |at| at.value),
        which,
    };
    let span = what.map_or(to.span, |at| at.span);
    let on_value = on.value;
    Ok((Middlebox::Lose { on: on_value, loss }, span, on.span))
}

fn which(table: &mut Table, cx: &mut Context) -> Result<Which, Reported> {
    let nth = table.optional("nth", cx, numbers);
    let fraction = table.optional("fraction", cx, |value, cx| {
        value.quantity("a string such as `\"30%\"`", quantity::percent, cx)
    });
    let seed = table.optional("seed", cx, |value, cx| {
        value.integer(0..=u64::from(u32::MAX), Some, cx)
    });
    match (nth?, fraction?, seed?) {
        (Some(nth), Some(fraction), _) => {
            let clash = Diagnostic::new(fraction.span, "a step has both `nth` and `fraction`")
                .related(nth.span, "`nth` is given here")
                .help("remove one of them");
            Err(cx.report(clash))
        }
        (_, None, Some(seed)) => {
            let alone = Diagnostic::new(seed.span, "`seed` has no `fraction` to choose");
            Err(cx.report(alone.help("add `fraction = \"30%\"`, or remove `seed`")))
        }
        (_, Some(fraction), None) => {
            let unseeded = Diagnostic::new(fraction.span, "`fraction` has no `seed`");
            let help = "add `seed = 1`, or any other number: the same one loses the same segments in every run";
            Err(cx.report(unseeded.help(help)))
        }
        (Some(nth), None, None) => Ok(Which::Nth(nth.value)),
        (None, Some(fraction), Some(seed)) => Ok(Which::Fraction {
            percent: fraction.value,
            seed: seed.value,
        }),
        (None, None, None) => Ok(Which::All),
    }
}

/// `3`, or `[1, 3]`.
fn numbers(value: &Value, cx: &mut Context) -> Result<Vec<u32>, Reported> {
    let number = |value: &Value, cx: &mut Context| {
        value.integer(1..=LAST_NUMBER, |number| u32::try_from(number).ok(), cx)
    };
    if value.is_integer() {
        return Ok(vec![number(value, cx)?]);
    }
    let mut numbers = Vec::new();
    for element in value.list("numbers, counted from 1", cx)? {
        let next = number(&element, cx)?;
        if numbers.last().is_some_and(|last| *last >= next) {
            let message = format!("`{}` is not in order", value.path());
            let wrong = Diagnostic::new(element.span(), message);
            return Err(cx.report(wrong.help("list each number once, the smallest first")));
        }
        numbers.push(next);
    }
    if numbers.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(cx.report(empty.help("list the lost ones by their numbers, `[1, 3]`")));
    }
    Ok(numbers)
}

#[derive(Clone, Copy)]
enum TrackingAction {
    Flush,
}

pub(super) fn conntrack(table: &mut Table, verb: &Range<usize>, cx: &mut Context) -> Read {
    let on = on(table, cx);
    let words = [("flush", TrackingAction::Flush)];
    let action = table.optional("action", cx, |value, cx| value.word(&words, cx));
    let established = table.optional("established", cx, firewall::established);
    let (on, action, established) = (on?, action?, established?);
    let on_value = on.value;
    match (action, established) {
        (Some(flush), None) => Ok((Middlebox::Flush { on: on_value }, flush.span, on.span)),
        (None, Some(established)) => {
            let step = Middlebox::Remember {
                on: on_value,
                established: established.value,
            };
            Ok((step, established.span, on.span))
        }
        _ => {
            let message = "this step needs `action` or `established`, one of the two";
            let help = "`action = \"flush\"` forgets every flow; `established = \"10s\"` is how long an idle one is known from now on";
            Err(cx.report(Diagnostic::new(verb.clone(), message).help(help)))
        }
    }
}

pub(super) fn mtu(table: &mut Table, verb: &Range<usize>, cx: &mut Context) -> Read {
    let on = on(table, cx);
    let to = to(table, "the end that the link leads to", cx);
    let limits = u64::from(SMALLEST_MTU)..=u64::from(LARGEST_MTU);
    let example = "the largest packet that the link takes: `bytes = 1300`";
    let bytes = table.required("bytes", example, cx, |value, cx| {
        value.integer(limits, |bytes| u16::try_from(bytes).ok(), cx)
    });
    let icmp = table.optional("icmp", cx, Value::boolean);
    let (on, to, bytes, icmp) = (on?, to?, bytes?, icmp?);
    let step = Middlebox::Mtu {
        on: on.value,
        to: to.value,
        bytes: bytes.value,
        icmp: icmp.is_none_or(|at| at.value),
    };
    Ok((step, verb.clone(), on.span))
}

fn on(table: &mut Table, cx: &mut Context) -> Result<At<Node>, Reported> {
    let example = "where it is done: `on = \"router\"`";
    table.required("on", example, cx, graph::node)
}

fn to(table: &mut Table, what: &str, cx: &mut Context) -> Result<At<End>, Reported> {
    let example = format!("{what}: `to = \"client\"` or `to = \"server\"`");
    table.required("to", &example, cx, |value, cx| value.one_of(&ENDS, cx))
}
