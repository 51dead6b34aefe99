//! A TOML tree to a [`Document`]: types, spelling, limits, and whatever else a single table decides.

mod connection;
mod counter;
mod evidence;
mod expect;
mod firewall;
mod middlebox;
mod network;
mod program;
mod step;
mod sysctl;

use crate::scenario::context::{Context, Given, Reported};
use crate::scenario::cursor::{Table, Value};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::document::{Body, CaseBlock, Document, TopologyPart};
use crate::scenario::model::{Clock, Family, Topology};

/// Reads the whole file.
pub(super) fn document(mut table: Table, cx: &mut Context) -> Document {
    let example = "a line that says what a person learns from the file: `summary = \"...\"`";
    let summary = table.required("summary", example, cx, Value::text);
    let source = table.optional("source", cx, Value::text);
    let clocks = [Clock::Any, Clock::Virtual];
    let clock = table.optional("clock", cx, |value, cx| value.one_of(&clocks, cx));
    let body = body(&mut table, cx);
    let cases = match table.ask("case") {
        Some(value) => value
            .tables(cx)
            .and_then(|cases| cases.iter().map(|case| case_block(case, cx)).collect()),
        None => Ok(Vec::new()),
    };
    Document {
        summary,
        source,
        clock,
        body: doubted(body, table.finish(cx)),
        cases,
    }
}

fn case_block(value: &Value, cx: &mut Context) -> Result<CaseBlock, Reported> {
    let mut table = value.table(cx)?;
    let name = table.required("name", "`name = \"...\"`", cx, case_name);
    let note = table.optional("note", cx, Value::text);
    let body = body(&mut table, cx);
    Ok(CaseBlock {
        span: value.span(),
        name,
        note,
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
        Some(value) => value.tables(cx).map(|steps| {
            steps
                .iter()
                .flat_map(|step| step::steps(step, cx))
                .collect()
        }),
        None => Ok(Vec::new()),
    };
    Body {
        topology: table.optional("topology", cx, topology),
        connection: table.optional("connection", cx, connection::connection),
        steps,
        expect: table.optional("expect", cx, expect::expect),
    }
}

fn topology(value: &Value, cx: &mut Context) -> Result<TopologyPart, Reported> {
    let mut table = value.table(cx)?;
    let presets = [Topology::Direct, Topology::Switched, Topology::Routed];
    let part = TopologyPart {
        preset: table.optional("preset", cx, |value, cx| value.one_of(&presets, cx)),
        families: table.optional("family", cx, families),
        firewall: table.optional("firewall", cx, firewall::firewall),
    };
    table.finish(cx)?;
    Ok(part)
}

/// One family, or a list of them.
fn families(value: &Value, cx: &mut Context) -> Result<Vec<Family>, Reported> {
    let known = [Family::Ipv4, Family::Ipv6];
    if value.as_str().is_some() {
        return value.one_of(&known, cx).map(|family| vec![family]);
    }
    let mut families = Vec::new();
    let mut reported = None;
    for element in value.list("`ipv4` and `ipv6`", cx)? {
        match element.one_of(&known, cx) {
            Ok(family) if families.contains(&family) => {
                let message = format!("`{family}` is listed twice");
                let twice = Diagnostic::new(element.span(), message);
                reported = Some(cx.report(twice.help("a family makes one case")));
            }
            Ok(family) => families.push(family),
            Err(error) => reported = Some(error),
        }
    }
    if let Some(reported) = reported {
        return Err(reported);
    }
    if families.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(
            cx.report(empty.help("list `ipv4`, `ipv6` or both, or leave the key out for both"))
        );
    }
    Ok(families)
}
