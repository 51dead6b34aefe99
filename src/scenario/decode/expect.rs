//! `[expect]`: what each end must see.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::{counter, evidence};
use crate::file::Diagnostic;
use crate::file::{At, Context, Given, Reported};
use crate::file::{Problem, quantity};
use crate::file::{Table, Value};
use crate::model::{
    CountRange, ErrnoName, Expectation, ExpectedOutcome, NextWrite, Places, PollEvent,
    ProbeExpectation, Since, StatedWindow, WindowProbeExpectation,
};
use crate::scenario::document::{EndsPart, ExpectPart, ExpectationPart};
use crate::suggest::nearest;

pub(super) fn expect(value: &Value, cx: &mut Context) -> Result<ExpectPart, Reported> {
    let mut table = value.table(cx)?;
    let part = ExpectPart {
        each: ends(&mut table, cx),
        ipv4: table.optional("ipv4", cx, of_family),
        ipv6: table.optional("ipv6", cx, of_family),
    };
    table.finish(cx)?;
    Ok(part)
}

fn of_family(value: &Value, cx: &mut Context) -> Result<EndsPart, Reported> {
    let mut table = value.table(cx)?;
    if table.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        let help = "give `client` or `server`, each with `error = \"...\"` or `survives = \"...\"`";
        return Err(cx.report(empty.help(help)));
    }
    let part = ends(&mut table, cx);
    table.finish(cx)?;
    Ok(part)
}

fn ends(table: &mut Table, cx: &mut Context) -> EndsPart {
    EndsPart {
        client: table.optional("client", cx, expectation),
        server: table.optional("server", cx, expectation),
    }
}

fn expectation(value: &Value, cx: &mut Context) -> Result<ExpectationPart, Reported> {
    let mut table = value.table(cx)?;
    let lines = lines(value, cx);
    let outcome = outcome(&mut table, value, cx);
    let textbook = table.optional("textbook", cx, errno);
    let within = table.optional("within", cx, |value, cx| {
        value.quantity("a window such as `\"4s..4.5s\"`", quantity::window, cx)
    });
    let since = table.optional("since", cx, |value, cx| {
        let words = [("fault", Since::Fault), ("activity", Since::Activity)];
        value.word(&words, cx)
    });
    let within = window(within, since, &outcome, cx);
    let probes = table.optional("probes", cx, probes);
    let window_probes = table.optional("window_probes", cx, window_probes);
    let evidence = evidence::Parts::of(&mut table, cx);
    let counters = table.optional("counters", cx, counter::counters);
    let poll = table.optional("poll", cx, poll);
    let next_write = table.optional("next_write", cx, next_write);
    let descriptors = table.optional("descriptors", cx, |value, cx| {
        value.word(&[("returned", ())], cx)
    });
    table.finish(cx)?;
    let descriptors = descriptors_can_return(descriptors, &outcome, cx);
    let (span, probes) = probes?.map_or((None, ProbeExpectation::default()), |at| {
        (Some(at.span), at.value)
    });
    let (outcome, within) = (outcome?, within?);
    let (evidence, machine) = evidence.checked()?;
    let expectation = Expectation {
        line: cx.line(&value.span()),
        lines,
        places: Places {
            outcome: outcome.span,
            within: within.as_ref().map(|at| at.span.clone()),
        },
        outcome: outcome.value,
        textbook: textbook?.map(|at| at.value),
        within: within.map(|at| at.value),
        probes,
        window_probes: window_probes?.map(|at| at.value).unwrap_or_default(),
        evidence,
        counters: counters?.map(|at| at.value).unwrap_or_default(),
        poll: poll?.map(|at| at.value).unwrap_or_default(),
        next_write: next_write?.map(|at| at.value),
        descriptors_return: descriptors?.is_some(),
    };
    Ok(ExpectationPart {
        expectation,
        probes: span,
        machine,
    })
}

/// The line of each key, of those in tables as `probes.sent`.
fn lines(value: &Value, cx: &Context) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (key, value) in value.keys() {
        lines.insert(key.value.to_owned(), cx.line(&key.span));
        for (inner, _) in value.keys() {
            let path = format!("{}.{}", key.value, inner.value);
            lines.insert(path, cx.line(&inner.span));
        }
    }
    lines
}

fn outcome(
    table: &mut Table,
    value: &Value,
    cx: &mut Context,
) -> Result<At<ExpectedOutcome>, Reported> {
    let error = table.optional("error", cx, |value, cx| {
        errno(value, cx).map(ExpectedOutcome::Error)
    });
    let eof = table.optional("eof", cx, eof);
    let survives = table.optional("survives", cx, |value, cx| {
        lasting(value, cx).map(ExpectedOutcome::Survives)
    });
    let open = table.optional("open", cx, |value, cx| {
        lasting(value, cx).map(ExpectedOutcome::Open)
    });
    let given = [
        ("error", error?),
        ("eof", eof?),
        ("survives", survives?),
        ("open", open?),
    ];
    let mut given = given
        .into_iter()
        .filter_map(|(key, outcome)| Some((key, outcome?)));
    let Some((first, outcome)) = given.next() else {
        let message = format!("`{}` has neither `error` nor `survives`", value.path());
        let help = "add the error that the end must see, `error = \"ETIMEDOUT\"`, \
                    or how long it must see none, `survives = \"6s\"`";
        return Err(cx.report(Diagnostic::new(value.span(), message).help(help)));
    };
    let Some((second, other)) = given.next() else {
        return Ok(outcome);
    };
    let message = format!("`{}` has both `{first}` and `{second}`", value.path());
    let clash = Diagnostic::new(other.span, message)
        .related(outcome.span, format!("`{first}` is given here"))
        .help("remove one of them: a connection has one outcome");
    Err(cx.report(clash))
}

fn eof(value: &Value, cx: &mut Context) -> Result<ExpectedOutcome, Reported> {
    if value.boolean(cx)? {
        return Ok(ExpectedOutcome::EndOfFile);
    }
    let message = format!("`{}` is false", value.path());
    let help = "write what the end must see in its place: `survives = \"6s\"`, `open = \"6s\"` or `error = \"...\"`";
    Err(value.wrong(Problem::new(message, help), cx))
}

/// The names that poll(2) has for them.
fn poll(value: &Value, cx: &mut Context) -> Result<Vec<PollEvent>, Reported> {
    let mut events = Vec::new();
    let mut reported = None;
    for element in value.list("events of poll(2), such as `\"POLLIN\"`", cx)? {
        match element.one_of(&PollEvent::ALL, cx) {
            Ok(event) if !events.contains(&event) => events.push(event),
            Ok(_) => {}
            Err(error) => reported = Some(error),
        }
    }
    events.sort();
    reported.map_or(Ok(events), Err)
}

fn next_write(value: &Value, cx: &mut Context) -> Result<NextWrite, Reported> {
    match value.as_str() {
        Some("succeeds") => Ok(NextWrite::Succeeds),
        _ => errno(value, cx).map(NextWrite::Fails),
    }
}

/// A connection that survives is open, and so is its descriptor.
fn descriptors_can_return(
    descriptors: Given<()>,
    outcome: &Result<At<ExpectedOutcome>, Reported>,
    cx: &mut Context,
) -> Given<()> {
    if let Ok(Some(At { span, .. })) = &descriptors
        && let Ok(outcome) = outcome
        && outcome.value.lasts().is_some()
    {
        let message = "the descriptors of connections that survive do not return";
        let clash = Diagnostic::new(span.clone(), message)
            .related(outcome.span.clone(), "they are to survive")
            .help("remove `descriptors`, or expect an `error`");
        return Err(cx.report(clash));
    }
    descriptors
}

fn lasting(value: &Value, cx: &mut Context) -> Result<Duration, Reported> {
    let duration = value.duration(cx)?;
    if !duration.is_zero() {
        return Ok(duration);
    }
    let message = format!("`{}` is zero", value.path());
    let help = "write how long the end must see no error, such as `6s`";
    Err(value.wrong(Problem::new(message, help), cx))
}

fn errno(value: &Value, cx: &mut Context) -> Result<ErrnoName, Reported> {
    let Some(name) = value.as_str() else {
        let what = "the name of an errno, such as `\"ETIMEDOUT\"`";
        return Err(value.expected(what, None, cx));
    };
    if let Some(errno) = ErrnoName::parse(name) {
        return Ok(errno);
    }
    let names: Vec<String> = ErrnoName::all().map(|errno| errno.to_string()).collect();
    let help = match nearest(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write the name that the C library has for it, such as `ETIMEDOUT`".to_owned(),
    };
    let message = format!("`{name}` is not an errno of Linux");
    Err(value.wrong(Problem::new(message, help), cx))
}

fn window(
    within: Given<(Duration, Duration)>,
    since: Given<Since>,
    outcome: &Result<At<ExpectedOutcome>, Reported>,
    cx: &mut Context,
) -> Given<StatedWindow> {
    if let (Ok(Some(since)), Ok(None)) = (&since, &within) {
        let alone = Diagnostic::new(since.span.clone(), "`since` is given without `within`");
        let help =
            "add the window that counts from there, `within = \"4s..4.5s\"`, or remove `since`";
        return Err(cx.report(alone.help(help)));
    }
    let Some(At { value, span }) = within? else {
        return Ok(None);
    };
    if let Ok(outcome) = outcome
        && outcome.value.lasts().is_some()
    {
        let message = "`within` goes with `error` or `eof`, not with what lasts";
        let help = "remove `within`: `survives` and `open` say themselves how long";
        return Err(cx.report(Diagnostic::new(span, message).help(help)));
    }
    let (from, to) = value;
    let since = since?.map_or(Since::Fault, |at| at.value);
    let value = StatedWindow { from, to, since };
    Ok(Some(At { value, span }))
}

fn probes(value: &Value, cx: &mut Context) -> Result<ProbeExpectation, Reported> {
    let mut table = evidence::table_of_counts(value, "sent", cx)?;
    if table.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(
            cx.report(empty.help("give `sent`, `answered`, `spacing` or `at`, or remove it"))
        );
    }
    let sent = table.optional("sent", cx, count);
    let answered = table.optional("answered", cx, count);
    let spacing = table.optional("spacing", cx, |value, cx| value.duration(cx));
    let at = table.optional("at", cx, times);
    table.finish(cx)?;
    let (sent, answered, spacing, at) = (sent?, answered?, spacing?, at?);
    let most = sent.as_ref().and_then(|sent| sent.value.max);
    if let (Some(most), Some(answered)) = (most, &answered)
        && answered.value.min > most
    {
        let message = "more probes are to be answered than sent";
        return Err(cx.report(contradiction(answered.span.clone(), message, &sent)));
    }
    if let (Some(most), Some(at)) = (most, &at)
        && at.value.len() as u64 > most
    {
        let message = "`at` lists more probes than are to be sent";
        return Err(cx.report(contradiction(at.span.clone(), message, &sent)));
    }
    Ok(ProbeExpectation {
        sent: sent.map(|at| at.value),
        answered: answered.map(|at| at.value),
        spacing: spacing.map(|at| at.value),
        at: at.map(|at| at.value).unwrap_or_default(),
    })
}

fn window_probes(value: &Value, cx: &mut Context) -> Result<WindowProbeExpectation, Reported> {
    let keys = ["sent", "answered"];
    let (sent, answered) = evidence::pair(value, keys, cx)?;
    Ok(WindowProbeExpectation { sent, answered })
}

fn contradiction(span: Range<usize>, message: &str, sent: &Option<At<CountRange>>) -> Diagnostic {
    let wrong = Diagnostic::new(span, message).help("change one of the two");
    match sent {
        Some(sent) => wrong.related(sent.span.clone(), format!("{} sent", sent.value)),
        None => wrong,
    }
}

fn times(value: &Value, cx: &mut Context) -> Result<Vec<Duration>, Reported> {
    let mut times: Vec<At<Duration>> = Vec::new();
    let mut reported = None;
    for element in value.list("durations", cx)? {
        let span = element.span();
        match element.duration(cx) {
            Ok(time) => times.push(At { value: time, span }),
            Err(error) => reported = Some(error),
        }
    }
    for pair in times.windows(2) {
        if let [earlier, later] = pair
            && later.value <= earlier.value
        {
            let message = format!("the times in `{}` do not ascend", value.path());
            let disorder = Diagnostic::new(later.span.clone(), message)
                .related(earlier.span.clone(), "not later than this")
                .help("list when each probe goes out, the first one first");
            reported = Some(cx.report(disorder));
        }
    }
    match reported {
        Some(reported) => Err(reported),
        None => Ok(times.into_iter().map(|at| at.value).collect()),
    }
}

/// An integer, or a range in quotes.
pub(super) fn count(value: &Value, cx: &mut Context) -> Result<CountRange, Reported> {
    if value.is_integer() {
        let exactly = |n| CountRange {
            min: n,
            max: Some(n),
        };
        return value.integer(0..=u64::MAX, |n| Some(exactly(n)), cx);
    }
    let what = "an integer or a range such as `\"2..4\"`";
    value.quantity(what, quantity::count_range, cx)
}
