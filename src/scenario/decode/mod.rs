//! A TOML tree to a [`Document`]: types, spelling, limits, and whatever else a single table decides.

mod connection;
mod counter;
mod evidence;
mod expect;
mod firewall;
mod graph;
mod topology;

use crate::file::Diagnostic;
use crate::file::{Context, Given, Reported};
use crate::file::{Table, Value};
use crate::scenario::document::{Body, CaseBlock, Document};
use crate::scenario::{Clock, bounds};
use crate::step;
use crate::step::Written;

/// Reads the whole file.
pub(super) fn document(mut table: Table, cx: &mut Context) -> Document {
    let example = "a line that says what a person learns from the file: `summary = \"...\"`";
    let summary = table.required("summary", example, cx, Value::text);
    let source = table.optional("source", cx, Value::text);
    let clocks = [Clock::Any, Clock::Virtual];
    let clock = table.optional("clock", cx, |value, cx| value.one_of(&clocks, cx));
    let slow = table.optional("slow", cx, Value::boolean);
    let body = body(&mut table, cx);
    let cases = match table.ask("case") {
        Some(value) => value.tables(cx).and_then(|cases| {
            value.at_most(bounds::MOST_CASES, cases.len(), "cases", cx)?;
            cases.iter().map(|case| case_block(case, cx)).collect()
        }),
        None => Ok(Vec::new()),
    };
    Document {
        summary,
        source,
        clock,
        slow,
        body: doubted(body, table.finish(cx)),
        cases,
    }
}

fn case_block(value: &Value, cx: &mut Context) -> Result<CaseBlock, Reported> {
    let mut table = value.table(cx)?;
    let name = table.required("name", "`name = \"...\"`", cx, case_name);
    let note = table.optional("note", cx, Value::text);
    let slow = table.optional("slow", cx, Value::boolean);
    let body = body(&mut table, cx);
    Ok(CaseBlock {
        span: value.span(),
        name,
        note,
        slow,
        body: doubted(body, table.finish(cx)),
    })
}

/// What is absent may be what an unknown key was meant to be, so it counts as wrong rather than as not given.
fn doubted(mut body: Body, finished: Result<(), Reported>) -> Body {
    fn doubt<T>(given: &mut Given<T>, reported: Reported) {
        if let Ok(None) = given {
            *given = Err(reported);
        }
    }
    if let Err(reported) = finished {
        doubt(&mut body.topology, reported);
        doubt(&mut body.connection, reported);
        doubt(&mut body.expect, reported);
    }
    body
}

fn case_name(value: &Value, cx: &mut Context) -> Result<String, Reported> {
    let name = value.text(cx)?;
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let length = name.chars().count();
    if length > bounds::LONGEST_NAME {
        let message = format!("this name of a case has {length} characters");
        let long = Diagnostic::new(value.span(), message);
        let most = bounds::LONGEST_NAME;
        return Err(cx.report(long.help(format!(
            "it can have {most} at most: a capture is named after it"
        ))));
    }
    if name.chars().all(valid) {
        return Ok(name);
    }
    let message = format!("`{name}` is not a case name");
    let replaced = name
        .to_lowercase()
        .replace(|c: char| !valid(c), "-")
        .trim_matches('-')
        .to_owned();
    let mut help = "a name has lower-case letters, digits and hyphens only".to_owned();
    if !replaced.is_empty() {
        help = format!("{help}: `{replaced}`");
    }
    Err(cx.report(Diagnostic::new(value.span(), message).help(help)))
}

fn body(table: &mut Table, cx: &mut Context) -> Body {
    let steps = match table.ask("step") {
        Some(value) => steps(&value, cx),
        None => Ok(Vec::new()),
    };
    Body {
        topology: table.optional("topology", cx, topology::topology),
        connection: table.optional("connection", cx, connection::connection),
        steps,
        expect: table.optional("expect", cx, expect::expect),
    }
}

/// All of them, each as often as it is taken.
fn steps(value: &Value, cx: &mut Context) -> Result<Vec<Result<Written, Reported>>, Reported> {
    let blocks = value.tables(cx)?;
    value.at_most(bounds::MOST_STEPS, blocks.len(), "steps", cx)?;
    let mut steps = Vec::new();
    for block in blocks {
        steps.extend(step::read(&block, cx));
        value.at_most(bounds::MOST_STEPS, steps.len(), "steps", cx)?;
    }
    Ok(steps)
}
