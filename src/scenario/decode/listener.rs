//! `do = "listener"`: what becomes of the server's listening socket.

use std::ops::Range;

use crate::scenario::context::{Context, Reported};
use crate::scenario::cursor::{Table, Value};
use crate::scenario::diagnostic::Diagnostic;
use crate::step::{ListenerAct, ListenerStep};

#[derive(Clone, Copy)]
enum Word {
    Pause,
    Fill,
}

const WORDS: [(&str, Word); 2] = [("pause", Word::Pause), ("fill", Word::Fill)];

/// With the smallest of these one connection waits, and a second one.
const SMALLEST: u8 = 1;

/// The step, and the word that says what it does.
pub(super) fn listener(
    table: &mut Table,
    cx: &mut Context,
) -> Result<(ListenerStep, Range<usize>), Reported> {
    let example = "what becomes of it: `action = \"fill\"`";
    let word = table.required("action", example, cx, |value, cx| value.word(&WORDS, cx));
    let lasts = table.optional("for", cx, Value::duration);
    let backlog = table.optional("backlog", cx, |value, cx| {
        value.integer(1..=128, |backlog| u8::try_from(backlog).ok(), cx)
    });
    let (word, lasts, backlog) = (word?, lasts?, backlog?);
    let act = match (word.value, backlog) {
        (Word::Fill, backlog) => ListenerAct::Fill {
            backlog: backlog.map_or(SMALLEST, |at| at.value),
        },
        (Word::Pause, None) => ListenerAct::Pause,
        (Word::Pause, Some(backlog)) => {
            let message = "a `backlog` is given for a queue that nobody fills";
            let idle = Diagnostic::new(backlog.span, message).related(word.span, "the action");
            return Err(cx.report(idle.help("write `action = \"fill\"`, or remove `backlog`")));
        }
    };
    let lasts = lasts.map(|at| at.value);
    Ok((ListenerStep { act, lasts }, word.span))
}
