//! The steps `address`, `neighbour`, `forwarding`, `flap` and `impair`.

use std::ops::Range;
use std::time::Duration;

use super::graph;
use super::step::ENDS;
use crate::model::{End, Percent};
use crate::scenario::context::{At, Context, Reported};
use crate::scenario::cursor::{Table, Value};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::quantity;
use crate::step::{
    AddressChange, Delay, Flapping, HardwareAddress, Impairment, NeighbourChange, NetworkStep,
};
use crate::text::seconds;

/// A step, the word that says what it does, and the node that not every topology has.
pub(super) type Read = Result<(NetworkStep, Range<usize>, Option<Range<usize>>), Reported>;

/// More would make a case of hours of what virtual time shows in minutes.
const MOST_TIMES: u64 = 1000;

/// Each half has to be long enough for the kernel to see to it: a carrier that comes and goes is noticed up to a second late
/// (`linkwatch_schedule_work`).
const SHORTEST_PERIOD: Duration = Duration::from_millis(200);

/// Beyond any path on Earth, and to Mars it is no TCP.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// In kbit/s: 10 Gbit/s, beyond which nothing is narrow.
const LARGEST_RATE: u64 = 10_000_000;

pub(super) fn address(table: &mut Table, _: &Range<usize>, cx: &mut Context) -> Read {
    let at = end(table, "at", "whose address", cx);
    let words = [
        ("remove", AddressChange::Remove),
        ("restore", AddressChange::Restore),
    ];
    let example = "`action = \"remove\"` or `action = \"restore\"`";
    let change = table.required("action", example, cx, |value, cx| value.word(&words, cx));
    let (at, change) = (at?.value, change?);
    let step = NetworkStep::Address {
        at,
        change: change.value,
    };
    Ok((step, change.span, None))
}

pub(super) fn neighbour(table: &mut Table, _: &Range<usize>, cx: &mut Context) -> Read {
    let example = "the node whose entry it is: `on = \"...\"`";
    let on = table.required("on", example, cx, graph::node);
    let to = end(table, "to", "the end that the way leads to", cx);
    let words = [
        ("remove", NeighbourChange::Remove),
        ("wrong", NeighbourChange::Wrong),
        ("restore", NeighbourChange::Restore),
    ];
    let example = "what happens to the entry: `action = \"remove\"`";
    let change = table.required("action", example, cx, |value, cx| value.word(&words, cx));
    let (on, to, change) = (on?, to?, change?);
    if on.value == to.value.node() {
        let message = format!("the {} is no neighbour of itself", to.value);
        let itself = Diagnostic::new(to.span, message).related(on.span, "the same end");
        let peer = to.value.peer();
        return Err(cx.report(itself.help(format!("write `to = \"{peer}\"`"))));
    }
    let step = NetworkStep::Neighbour {
        on: on.value,
        to: to.value,
        change: change.value,
    };
    Ok((step, change.span, Some(on.span)))
}

pub(super) fn forwarding(table: &mut Table, _: &Range<usize>, cx: &mut Context) -> Read {
    let example = "where it is done: `on = \"router\"`";
    let on = table.required("on", example, cx, graph::node);
    let words = [("off", false), ("on", true)];
    let example = "`action = \"off\"` or `action = \"on\"`";
    let action = table.required("action", example, cx, |value, cx| value.word(&words, cx));
    let (on, action) = (on?, action?);
    let step = NetworkStep::Forwarding {
        on: on.value,
        forwards: action.value,
    };
    Ok((step, action.span, Some(on.span)))
}

pub(super) fn flap(table: &mut Table, verb: &Range<usize>, cx: &mut Context) -> Read {
    let at = end(table, "at", "whose cable", cx);
    let example = "how often: `count = 3`";
    let count = table.required("count", example, cx, |value, cx| {
        value.integer(1..=MOST_TIMES, |count| u32::try_from(count).ok(), cx)
    });
    let example = "from one time that it goes out to the next: `period = \"2s\"`";
    let period = table.required("period", example, cx, |value, cx| {
        let period = value.duration(cx)?;
        if period < SHORTEST_PERIOD {
            let help = format!(
                "it is {} at least, half of it out and half in",
                seconds(SHORTEST_PERIOD)
            );
            return Err(cx.report(cannot_be(value, period).help(help)));
        }
        Ok(period)
    });
    let (at, count, period) = (at?.value, count?.value, period?.value);
    let flapping = Flapping { count, period };
    Ok((NetworkStep::Flap { at, flapping }, verb.clone(), None))
}

pub(super) fn impair(table: &mut Table, verb: &Range<usize>, cx: &mut Context) -> Read {
    let at = end(table, "at", "the host whose packets go over it", cx);
    let words = [("stop", ())];
    if let Some(stop) = table.optional("action", cx, |value, cx| value.word(&words, cx))? {
        let at = at?.value;
        return Ok((NetworkStep::Heal { at }, stop.span, None));
    }
    let delay = delay(table, cx);
    let loss = share(table, "loss", cx);
    let duplicate = share(table, "duplicate", cx);
    let rate = table.optional("rate", cx, |value, cx| {
        value.integer(1..=LARGEST_RATE, |rate| u32::try_from(rate).ok(), cx)
    });
    let seed = table.optional("seed", cx, |value, cx| {
        value.integer(0..=u64::from(u32::MAX), Some, cx)
    });
    let (at, delay, seed) = (at?.value, delay?, seed?);
    let impairment = Impairment {
        delay,
        loss: loss?.map(|at| at.value),
        duplicate: duplicate?.map(|at| at.value),
        rate: rate?.map(|at| at.value),
        seed: seed.as_ref().map(|at| at.value),
    };
    match seed {
        Some(seed) if !impairment.draws() => {
            let idle =
                Diagnostic::new(seed.span, "`seed` is given where nothing is left to chance");
            let help = "add `jitter`, `loss`, `duplicate` or `reorder`, or remove `seed`";
            Err(cx.report(idle.help(help)))
        }
        None if impairment == Impairment::default() => {
            let nothing = Diagnostic::new(verb.clone(), "nothing is impaired by this step");
            let help = "add `delay`, `loss`, `duplicate` or `rate`; or end what an earlier step began with `action = \"stop\"`";
            Err(cx.report(nothing.help(help)))
        }
        _ => Ok((NetworkStep::Impair { at, impairment }, verb.clone(), None)),
    }
}

fn delay(table: &mut Table, cx: &mut Context) -> Result<Option<Delay>, Reported> {
    let by = table.optional("delay", cx, |value, cx| {
        let by = value.duration(cx)?;
        if by.is_zero() || by > LONGEST_DELAY {
            let help = "a delay is more than 0 s and at most 60 s";
            return Err(cx.report(cannot_be(value, by).help(help)));
        }
        Ok(by)
    });
    let jitter = table.optional("jitter", cx, Value::duration);
    let reorder = share(table, "reorder", cx);
    let (by, jitter, reorder) = (by?, jitter?, reorder?);
    let needs = |key: &str, span: Range<usize>, why: &str| {
        let alone = Diagnostic::new(span, format!("`{key}` is given without `delay`"));
        alone.help(format!("add `delay = \"100ms\"`: {why}"))
    };
    match (by, jitter, reorder) {
        (None, Some(jitter), _) => {
            let why = "a packet comes earlier or later than that";
            Err(cx.report(needs("jitter", jitter.span, why)))
        }
        (None, None, Some(reorder)) => {
            let why = "what is not delayed overtakes what is";
            Err(cx.report(needs("reorder", reorder.span, why)))
        }
        (Some(by), Some(jitter), _) if jitter.value > by.value => {
            let message = "`jitter` is longer than `delay`, and no packet comes before it is sent";
            let wrong = Diagnostic::new(jitter.span, message).related(by.span, "the delay");
            let most = seconds(by.value);
            Err(cx.report(wrong.help(format!("a jitter of {most} at most goes with this delay"))))
        }
        (None, None, None) => Ok(None),
        (Some(by), jitter, reorder) => Ok(Some(Delay {
            by: by.value,
            jitter: jitter.map(|at| at.value),
            reorder: reorder.map(|at| at.value),
        })),
    }
}

fn share(
    table: &mut Table,
    key: &'static str,
    cx: &mut Context,
) -> Result<Option<At<Percent>>, Reported> {
    table.optional(key, cx, |value, cx| {
        value.quantity("a string such as `\"30%\"`", quantity::share, cx)
    })
}

/// Of the step `reboot`.
pub(super) fn mac(table: &mut Table, cx: &mut Context) -> Result<HardwareAddress, Reported> {
    let words = [("new", HardwareAddress::New)];
    let mac = table.optional("mac", cx, |value, cx| value.word(&words, cx))?;
    Ok(mac.map_or(HardwareAddress::Kept, |at| at.value))
}

fn end(
    table: &mut Table,
    key: &'static str,
    what: &str,
    cx: &mut Context,
) -> Result<At<End>, Reported> {
    let example = format!("{what}: `{key} = \"client\"` or `{key} = \"server\"`");
    table.required(key, &example, cx, |value, cx| value.one_of(&ENDS, cx))
}

fn cannot_be(value: &Value, time: Duration) -> Diagnostic {
    let message = format!("`{}` cannot be {}", value.path(), seconds(time));
    Diagnostic::new(value.span(), message)
}
