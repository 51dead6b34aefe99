//! `do = "socket"`, `"process"`, `"reader"`: what becomes of the program at one end.

use std::ops::Range;

use crate::model::End;
use crate::scenario::context::{Context, Reported};
use crate::scenario::cursor::Table;
use crate::step::{Act, ProgramStep};

const SOCKET: [(&str, Act); 4] = [
    ("close", Act::Close),
    ("shutdown", Act::Shutdown),
    ("abort", Act::Abort),
    ("destroy", Act::Destroy),
];
const PROCESS: [(&str, Act); 3] = [
    ("kill", Act::Kill),
    ("stop", Act::Stop),
    ("continue", Act::Continue),
];
const READER: [(&str, Act); 2] = [("pause", Act::Pause), ("resume", Act::Resume)];

/// The step, and the word that says what it does.
pub(super) type Read = Result<(ProgramStep, Range<usize>), Reported>;

pub(super) fn socket(table: &mut Table, cx: &mut Context) -> Read {
    read(table, &SOCKET, cx)
}

pub(super) fn process(table: &mut Table, cx: &mut Context) -> Read {
    read(table, &PROCESS, cx)
}

pub(super) fn reader(table: &mut Table, cx: &mut Context) -> Read {
    read(table, &READER, cx)
}

fn read(table: &mut Table, words: &[(&str, Act)], cx: &mut Context) -> Read {
    let ends = [End::Client, End::Server];
    let at = table.required(
        "at",
        "at which end: `at = \"client\"` or `at = \"server\"`",
        cx,
        |value, cx| value.one_of(&ends, cx),
    );
    let (first, _) = words[0];
    let example = format!("what becomes of it: `action = \"{first}\"`");
    let act = table.required("action", &example, cx, |value, cx| value.word(words, cx));
    let (at, act) = (at?.value, act?);
    let step = ProgramStep { at, act: act.value };
    Ok((step, act.span))
}
