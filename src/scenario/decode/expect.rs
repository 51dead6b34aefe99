//! `[expect]`: what each end must see.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use super::count::count;
use super::{counter, evidence};
use crate::file::Diagnostic;
use crate::file::{At, Context, Given, Reported};
use crate::file::{Key, Layers, List, Part, Relation, Shape, Table, TableKind, Value};
use crate::file::{Problem, duration, quantity};
use crate::model::{
    CountRange, ErrnoName, Expectation, ExpectedOutcome, NextWrite, Places, PollEvent,
    ProbeExpectation, Since, StatedWindow, WindowProbeExpectation,
};
use crate::scenario::draft::{ExpectDraft, ExpectationDraft, FamilyExpectations};
use crate::suggest::nearest;

const ERROR: Key<ExpectedOutcome> = Key::value(
    "error",
    Shape::Errno,
    |value, cx| errno(value, cx).map(ExpectedOutcome::Error),
    "Every connection ends with exactly this error, within the window.",
);
const EOF: Key<ExpectedOutcome> = Key::value(
    "eof",
    Shape::True,
    eof,
    "Every connection reads end of file, within the window of `within`.",
);
const SURVIVES: Key<ExpectedOutcome> = Key::value(
    "survives",
    Shape::Duration,
    |value, cx| lasting(value, cx).map(ExpectedOutcome::Survives),
    "Nothing is reported for this long after zero time, and then a further exchange succeeds.",
);
const OPEN: Key<ExpectedOutcome> = Key::value(
    "open",
    Shape::Duration,
    |value, cx| lasting(value, cx).map(ExpectedOutcome::Open),
    "Nothing is reported for this long after zero time. No exchange follows: whether anything still arrives is not judged.",
);
const TEXTBOOK: Key<ErrnoName> = Key::value(
    "textbook",
    Shape::Errno,
    errno,
    "The error that TCP/IP Illustrated describes, where Linux differs. It is shown but not judged.",
);
const WITHIN: Key<(Duration, Duration)> = Key::value(
    "within",
    Shape::Window,
    |value, cx| value.quantity("a window such as `\"4s..4.5s\"`", quantity::window, cx),
    "The window of the outcome; it replaces the window of the oracle. As for every window, the outcome may be up to 50 ms late, because of the scheduler.",
);
const SINCE: Key<Since> = Key::word(
    "since",
    &[("fault", Since::Fault), ("activity", Since::Activity)],
    "What `within` counts from: zero time (`fault`, if absent), or the last segment that this end received (`activity`).",
);
const PROBES: Key<ProbeExpectation> = Key::value(
    "probes",
    Shape::Table(&PROBES_KIND),
    probes,
    "The keepalive probes that this end sent from zero time on.",
);
const WINDOW_PROBES: Key<WindowProbeExpectation> = Key::value(
    "window_probes",
    Shape::Table(&WINDOW_PROBES_KIND),
    window_probes,
    "The probes that the persist timer sends into the peer's closed window; `probes` does not count them.",
);
const POLL: Key<Vec<PollEvent>> = Key::value(
    "poll",
    Shape::List(List {
        of: &Shape::OneOf(|| PollEvent::ALL.map(|event| event.to_string()).into()),
        least: 0,
        most: None,
        differ: true,
    }),
    poll,
    "All events that poll(2) reports for the socket at the outcome.",
);
const NEXT_WRITE: Key<NextWrite> = Key::value(
    "next_write",
    Shape::Write,
    next_write,
    "The result of a write after the outcome.",
);
const DESCRIPTORS: Key<()> = Key::word(
    "descriptors",
    &[("returned", ())],
    "This end has as many open socket descriptors as before the connections. Not with `survives` or `open`.",
);

/// What one end must see.
const EXPECTATION: TableKind = TableKind {
    name: Some("expectation"),
    about: "What one end must see.",
    keys: &[
        &ERROR,
        &EOF,
        &SURVIVES,
        &OPEN,
        &TEXTBOOK,
        &WITHIN,
        &SINCE,
        &PROBES,
        &WINDOW_PROBES,
        &evidence::RETRANSMISSIONS,
        &evidence::RST,
        &evidence::ICMP,
        &evidence::NEIGHBOURS,
        &evidence::TIMER,
        &evidence::STATE,
        &counter::COUNTERS,
        &POLL,
        &NEXT_WRITE,
        &DESCRIPTORS,
    ],
    relations: &[
        Relation::One(&["error", "eof", "survives", "open"]),
        Relation::Excludes(&["survives", "open"], &["within", "descriptors"]),
        Relation::Needs("since", &["within"]),
    ],
};

const SENT: Key<CountRange> = count("sent", "How many were sent.");
const ANSWERED: Key<CountRange> = count("answered", "How many were answered.");
const SPACING: Key<Duration> = duration(
    "spacing",
    "The time from each probe to the next. A probe may be late by the tolerance of the timer wheel, but never early.",
);
const AT: Key<Vec<Duration>> = Key::value(
    "at",
    Shape::List(List {
        of: &Shape::Duration,
        least: 0,
        most: None,
        differ: false,
    }),
    times,
    "The times at which the first probes were sent, counted from the last segment that was received before the first probe, as the kernel counts.",
);

const PROBES_KIND: TableKind = TableKind {
    name: None,
    about: "Keepalive probes.",
    keys: &[&SENT, &ANSWERED, &SPACING, &AT],
    relations: &[Relation::Any(&["sent", "answered", "spacing", "at"])],
};

const WINDOW_PROBES_KIND: TableKind = TableKind {
    name: None,
    about: "Window probes.",
    keys: &[&SENT, &ANSWERED],
    relations: &[Relation::Any(&["sent", "answered"])],
};

const CLIENT: Key<ExpectationDraft> = Key::value(
    "client",
    Shape::Table(&EXPECTATION),
    expectation,
    "What the client must see.",
);
const SERVER: Key<ExpectationDraft> = Key::value(
    "server",
    Shape::Table(&EXPECTATION),
    expectation,
    "What the server must see.",
);

const ENDS: TableKind = TableKind {
    name: Some("ends"),
    about: "What each end must see over one family.",
    keys: &[&CLIENT, &SERVER],
    relations: &[Relation::Any(&["client", "server"])],
};

const IPV4: Part = Part {
    name: "ipv4",
    shape: Shape::Table(&ENDS),
    about: "What is expected over IPv4 alone, in place of `client` and `server`.",
};
const IPV6: Part = Part {
    name: "ipv6",
    shape: Shape::Table(&ENDS),
    about: "What is expected over IPv6 alone, in place of `client` and `server`.",
};

pub(super) const KIND: TableKind = TableKind {
    name: Some("expect"),
    about: "What each end must see. The expectation of a case for both families replaces the expectation of the file for one family.",
    keys: &[&CLIENT, &SERVER, &IPV4, &IPV6],
    relations: &[],
};

/// A cache of decoded expectations, by the address of their nodes in the tree: most cases share the
/// expectations of the file.
#[derive(Default)]
pub(super) struct Known(HashMap<usize, Given<Rc<ExpectationDraft>>>);

impl Known {
    pub(super) fn read(&mut self, expect: &Layers, cx: &mut Context) -> ExpectDraft {
        ExpectDraft {
            span: expect.span(),
            ipv4: self.family(expect, &IPV4, cx),
            ipv6: self.family(expect, &IPV6, cx),
        }
    }

    fn family(&mut self, expect: &Layers, family: &Part, cx: &mut Context) -> FamilyExpectations {
        let own = expect.each().next().and_then(|top| {
            let mut ends = top.inside(family.name, &ENDS, cx);
            let span = ends.span()?;
            let value = [CLIENT, SERVER].iter();
            let value = value
                .filter_map(|key| self.end(&mut ends, key, cx).ok().flatten())
                .collect();
            Some(At { value, span })
        });
        FamilyExpectations {
            client: self.uppermost(expect, family, &CLIENT, cx),
            server: self.uppermost(expect, family, &SERVER, cx),
            own,
        }
    }

    /// The expectation for an end over one family, from the uppermost table that has one. In the
    /// same table, the expectation for this family wins over the expectation for both families.
    fn uppermost(
        &mut self,
        expect: &Layers,
        family: &Part,
        key: &Key<ExpectationDraft>,
        cx: &mut Context,
    ) -> Given<Rc<ExpectationDraft>> {
        let help = "give `client` or `server`, each with `error = \"...\"` or `survives = \"...\"`";
        for mut both in expect.each() {
            let mut ends = both.inside(family.name, &ENDS, cx);
            // The expectation for both families is read even if it is replaced, so that its errors
            // are reported.
            let own = self.end(&mut ends, key, cx);
            let of_both = self.end(&mut both, key, cx);
            ends.not_empty(help, cx)?;
            if let Some(given) = own?.map_or(of_both, |own| Ok(Some(own)))? {
                return Ok(Some(given));
            }
        }
        Ok(None)
    }

    fn end(
        &mut self,
        ends: &mut Layers,
        key: &Key<ExpectationDraft>,
        cx: &mut Context,
    ) -> Given<Rc<ExpectationDraft>> {
        ends.find(cx, |table, cx| {
            let Some(value) = table.ask(key.name()) else {
                return Ok(None);
            };
            if let Some(known) = self.0.get(&value.node()) {
                return known.clone();
            }
            let read = key.get(table, cx).map(|given| {
                let shared = |At { value, span }| At {
                    value: Rc::new(value),
                    span,
                };
                given.map(shared)
            });
            self.0.insert(value.node(), read.clone());
            read
        })
    }
}

fn expectation(value: &Value, cx: &mut Context) -> Result<ExpectationDraft, Reported> {
    let mut table = value.table(cx)?;
    let lines = lines(value, cx);
    let outcome = outcome(&mut table, value, cx);
    let textbook = TEXTBOOK.get(&mut table, cx);
    let within = WITHIN.get(&mut table, cx);
    let since = SINCE.get(&mut table, cx);
    let within = window(within, since, &outcome, cx);
    let probes = PROBES.get(&mut table, cx);
    let window_probes = WINDOW_PROBES.get(&mut table, cx);
    let evidence = evidence::Parts::of(&mut table, cx);
    let counters = counter::COUNTERS.get(&mut table, cx);
    let poll = POLL.get(&mut table, cx);
    let next_write = NEXT_WRITE.get(&mut table, cx);
    let descriptors = DESCRIPTORS.get(&mut table, cx);
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
    Ok(ExpectationDraft {
        expectation,
        probes: span,
        machine,
    })
}

/// The line of each key. A key in an inner table has a dotted name, such as `probes.sent`.
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
    let outcomes = [ERROR, EOF, SURVIVES, OPEN].map(|key| (key.name(), key.get(table, cx)));
    let mut given = Vec::new();
    for (key, outcome) in outcomes {
        given.extend(outcome?.map(|outcome| (key, outcome)));
    }
    let mut given = given.into_iter();
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

/// Reads a list of poll(2) events by their names, such as `POLLIN`.
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

/// Refuses `descriptors` together with `survives` or `open`: the descriptor of a connection that
/// survives stays open.
fn descriptors_can_return(
    descriptors: Given<()>,
    outcome: &Result<At<ExpectedOutcome>, Reported>,
    cx: &mut Context,
) -> Given<()> {
    if let Ok(Some(At { span, .. })) = &descriptors
        && let Ok(outcome) = outcome
        && outcome.value.lasts().is_some()
    {
        let message = "surviving connections keep their descriptors open";
        let clash = Diagnostic::new(span.clone(), message)
            .related(outcome.span.clone(), "the connections must survive")
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
        let message = "`within` is valid with `error` or `eof`, not with `survives` or `open`";
        let help = "remove `within`: `survives` and `open` give the duration";
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
    let sent = SENT.get(&mut table, cx);
    let answered = ANSWERED.get(&mut table, cx);
    let spacing = SPACING.get(&mut table, cx);
    let at = AT.get(&mut table, cx);
    table.finish(cx)?;
    let (sent, answered, spacing, at) = (sent?, answered?, spacing?, at?);
    let most = sent.as_ref().and_then(|sent| sent.value.max);
    if let (Some(most), Some(answered)) = (most, &answered)
        && answered.value.min > most
    {
        let message = "`answered` is greater than `sent`";
        return Err(cx.report(contradiction(answered.span.clone(), message, &sent)));
    }
    if let (Some(most), Some(at)) = (most, &at)
        && at.value.len() as u64 > most
    {
        let message = "`at` lists more probes than `sent` allows";
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
    let (sent, answered) = evidence::pair(value, [&SENT, &ANSWERED], cx)?;
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
            let message = format!("the times in `{}` are not in ascending order", value.path());
            let disorder = Diagnostic::new(later.span.clone(), message)
                .related(earlier.span.clone(), "not later than this")
                .help("list the times in ascending order");
            reported = Some(cx.report(disorder));
        }
    }
    match reported {
        Some(reported) => Err(reported),
        None => Ok(times.into_iter().map(|at| at.value).collect()),
    }
}
