//! Decodes a TOML tree to a [`FileDraft`]: checks types, spelling, limits, and everything else that
//! a single table decides.
//!
//! The tables of a case are laid over the tables of the file, and are decoded once for each case.
//! The tables of the file are also decoded alone, to report errors in parts that every case
//! replaces.

mod connection;
mod count;
mod counter;
mod evidence;
mod expect;
mod firewall;
mod graph;
mod topology;

use std::rc::Rc;

use self::expect::Known;
use crate::file::Diagnostic;
use crate::file::{Context, Reported};
use crate::file::{Key, Layer, Layers, Part, Shape, Table, TableKind, Value, boolean};
use crate::scenario::draft::{Block, CaseDraft, FileDraft, Steps};
use crate::scenario::{Clock, bounds};
use crate::step;
use crate::step::Written;

const SUMMARY: Key<String> = text("summary", "One line: what the file shows.")
    .required("a line that describes what the file shows: `summary = \"...\"`");
const SOURCE: Key<String> = text(
    "source",
    "The source of the claim: a book's chapter, an RFC, an issue.",
);
const CLOCK: Key<Clock> = Key::word(
    "clock",
    &[("any", Clock::Any), ("virtual", Clock::Virtual)],
    "`virtual`: the cases run in virtual time only (`--warp`); `any`, if absent.",
);
const SLOW: Key<bool> = boolean(
    "slow",
    "In real time the case runs with `--slow` only, because it takes longer than about 20 s; `false`, if absent.",
);
const STEP: Part = Part {
    name: "step",
    shape: Shape::Steps,
    about: "The steps, in order. Those of a case follow those of the file.",
};
const TOPOLOGY: Part = Part {
    name: "topology",
    shape: Shape::Table(&topology::KIND),
    about: "The network.",
};
const CONNECTION: Part = Part {
    name: "connection",
    shape: Shape::Table(&connection::KIND),
    about: "The connection under test.",
};
const EXPECT: Part = Part {
    name: "expect",
    shape: Shape::Table(&expect::KIND),
    about: "What each end must see.",
};
const CASES: Part = Part {
    name: "case",
    shape: Shape::Tables(&CASE, bounds::MOST_CASES),
    about: "The variations. A file without any is one case.",
};

/// The root table of a file.
pub(crate) const FILE: TableKind = TableKind {
    name: None,
    about: "A scenario of deadpeer: faults on a TCP connection, and what the application must see.",
    keys: &[
        &SUMMARY,
        &SOURCE,
        &CLOCK,
        &SLOW,
        &STEP,
        &TOPOLOGY,
        &CONNECTION,
        &EXPECT,
        &CASES,
    ],
    relations: &[],
};

const NAME: Key<String> = Key::value(
    "name",
    Shape::CaseName(bounds::LONGEST_NAME),
    case_name,
    "The name, unique within the file.",
)
.required("`name = \"...\"`");
const NOTE: Key<String> = text("note", "How this case differs, and why.");

const CASE: TableKind = TableKind {
    name: Some("case"),
    about: "A variation of the file: its tables override those of the file, key by key, and its steps follow those of the file. `firewall`, `sysctl`, \
            `keepalive` and the expectation of an end are replaced as a whole.",
    keys: &[&NAME, &NOTE, &SLOW, &STEP, &TOPOLOGY, &CONNECTION, &EXPECT],
    relations: &[],
};

/// A key whose value is text for the reader.
const fn text(name: &'static str, about: &'static str) -> Key<String> {
    Key::value(name, Shape::Text, |value, cx| value.text(cx), about)
}

/// Reads the whole file.
pub(super) fn file(table: Table, cx: &mut Context) -> FileDraft {
    let mut table = table.of(&FILE);
    let summary = SUMMARY.need(&mut table, cx);
    let source = SOURCE.get(&mut table, cx);
    let clock = CLOCK.get(&mut table, cx);
    let mut decoder = Decoder {
        steps: steps(&mut table, cx).into(),
        known: Known::default(),
    };
    let blocks = table.ask(CASES.name);
    let known = table.unknown(cx);
    let file = Layer::new(table, known);
    let own = decoder.case(None, Layers::new(vec![file.clone()]), Vec::new(), cx);
    let cases = match blocks {
        Some(value) => value.tables(cx).and_then(|blocks| {
            value.at_most(bounds::MOST_CASES, blocks.len(), "cases", cx)?;
            let blocks = blocks.iter();
            blocks
                .map(|block| decoder.block(block, &file, cx))
                .collect()
        }),
        None => Ok(Vec::new()),
    };
    FileDraft {
        summary,
        source,
        clock,
        own,
        cases,
    }
}

/// The parts of a file that are decoded once for all cases.
struct Decoder {
    /// The steps of the file.
    steps: Rc<[Result<Written, Reported>]>,
    known: Known,
}

impl Decoder {
    fn block<'t>(
        &mut self,
        value: &Value<'t>,
        file: &Layer<'t>,
        cx: &mut Context,
    ) -> Result<CaseDraft, Reported> {
        let mut table = value.table(cx)?.of(&CASE);
        let block = Block {
            span: value.span(),
            name: NAME.need(&mut table, cx),
            note: NOTE.get(&mut table, cx),
        };
        let steps = steps(&mut table, cx);
        let known = table.unknown(cx);
        let layers = Layers::new(vec![Layer::new(table, known), file.clone()]);
        Ok(self.case(Some(block), layers, steps, cx))
    }

    fn case(
        &mut self,
        block: Option<Block>,
        mut layers: Layers,
        steps: Vec<Result<Written, Reported>>,
        cx: &mut Context,
    ) -> CaseDraft {
        let topology = layers.inside(TOPOLOGY.name, &topology::KIND, cx);
        let connection = layers.inside(CONNECTION.name, &connection::KIND, cx);
        let expect = layers.inside(EXPECT.name, &expect::KIND, cx);
        CaseDraft {
            block,
            slow: layers.get(&SLOW, cx),
            topology: topology::read(topology, cx),
            connection: connection::read(connection, cx),
            steps: Steps {
                shared: Rc::clone(&self.steps),
                own: steps,
            },
            expect: self.known.read(&expect, cx),
        }
    }
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
            "it can have {most} at most: the name of a capture contains it"
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

/// Reads all steps of a table. A repeated step is in the list once for each repetition.
fn steps(table: &mut Table, cx: &mut Context) -> Vec<Result<Written, Reported>> {
    let Some(value) = table.ask(STEP.name) else {
        return Vec::new();
    };
    let blocks = value.tables(cx).and_then(|blocks| {
        value.at_most(bounds::MOST_STEPS, blocks.len(), "steps", cx)?;
        let mut steps = Vec::new();
        for block in blocks {
            steps.extend(step::read(&block, cx));
            value.at_most(bounds::MOST_STEPS, steps.len(), "steps", cx)?;
        }
        Ok(steps)
    });
    blocks.unwrap_or_else(|reported| vec![Err(reported)])
}
