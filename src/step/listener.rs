//! `listener`: the server accepts no connection.
//!
//! A handshake is the kernel's work: it is complete before the program accepts, and the connection
//! waits in the accept queue. The queue takes one more than the backlog of listen(2)
//! (`sk_acceptq_is_full`). A SYN that finds it full is dropped (`tcp_conn_request`), and so
//! is the last acknowledgement of a handshake, or, with `net.ipv4.tcp_abort_on_overflow`, it is
//! answered with a RST (`tcp_check_req`).

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use super::{Act, Kind, Named, StepKind};
use crate::file::{Context, Diagnostic, Key, Relation, Reported, Shape, Table, duration};
use crate::model::End;
use crate::text::seconds;
use crate::world::{Fault, Refusal, Stops, World};

/// The server's program accepts nothing, and goes on listening.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// It also calls listen(2) with this backlog, 1..=128, and others connect until the queue is
    /// full.
    pub fill: Option<u8>,
    /// The program accepts again after so long; `None`: never.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub duration: Option<Duration>,
}

impl Listener {
    /// How many connections it takes to fill the queue (`sk_acceptq_is_full`).
    #[must_use]
    pub fn fillers(self) -> u32 {
        self.fill.map_or(0, |backlog| u32::from(backlog) + 1)
    }
}

#[derive(Clone, Copy)]
enum Word {
    Pause,
    Fill,
}

/// A backlog of 1 lets two connections wait.
const SMALLEST: u8 = 1;

const ACTION: Key<Word> = Key::word(
    "action",
    &[("pause", Word::Pause), ("fill", Word::Fill)],
    "`pause`: the server accepts nothing; `fill`: others also connect until its accept queue is full.",
)
.required("what becomes of it: `action = \"fill\"`");
const FOR: Key<Duration> = duration(
    "for",
    "The server accepts again after this; never, if absent.",
);
const BACKLOG: Key<u8> = Key::value(
    "backlog",
    Shape::Integer(1, 128),
    |value, cx| value.integer(1..=128, |backlog| u8::try_from(backlog).ok(), cx),
    "The backlog of listen(2); 1, if absent. For `action = \"fill\"`.",
);

pub(super) const KIND: Kind = Kind {
    word: "listener",
    about: "The server's program accepts no connection, as one that is too busy. The step comes before `connect`, or after it to meet the \
            end of a handshake.",
    keys: &[&ACTION, &FOR, &BACKLOG],
    relations: &[Relation::Only {
        key: "backlog",
        beside: "action",
        words: &["fill"],
        is_required: false,
    }],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Listener, Reported> {
    let word = ACTION.need(table, cx);
    let duration = FOR.get(table, cx);
    let backlog = BACKLOG.get(table, cx);
    let (word, duration, backlog) = (word?, duration?, backlog?);
    let fill = match (word.value, backlog) {
        (Word::Fill, backlog) => Some(backlog.map_or(SMALLEST, |at| at.value)),
        (Word::Pause, None) => None,
        (Word::Pause, Some(backlog)) => {
            let message = "a `backlog` is given for a queue that is not filled";
            let idle = Diagnostic::new(backlog.span, message).related(word.span, "the action");
            return Err(cx.report(idle.help("write `action = \"fill\"`, or remove `backlog`")));
        }
    };
    let duration = duration.map(|at| at.value);
    Ok(Listener { fill, duration })
}

impl Act for Listener {
    fn kind(&self) -> StepKind {
        StepKind::Fault
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let (fills, passes) = (self.fill.is_some(), self.duration.is_some());
        world.needs_program(End::Server)?;
        let opened = !world.has(&Fault::Unopened);
        if opened && !world.opens_by_step() {
            let late = Refusal::new("the client has opened its connections before the first step");
            return Err(late.help("open them after this step: `do = \"connect\"`"));
        }
        if opened && passes {
            let message = "no connection is opened after this step, and none would be accepted";
            let help = "take it before `do = \"connect\"`, or leave `for` out";
            return Err(Refusal::new(message).help(help));
        }
        if fills {
            others_can_connect(world)?;
        }
        let again = |fault: &Fault| match fault {
            Fault::NotAccepting { full, .. } => *full || !fills,
            _ => false,
        };
        if let Some(earlier) = world.find(again) {
            let twice = Refusal::new("the server accepts nothing already").because(earlier);
            return Err(twice.help("remove one of the two"));
        }
        world.begin(Fault::NotAccepting {
            full: fills,
            passes,
        });
        Ok(())
    }
}

/// The queue is filled by others, who connect from the client's host.
fn others_can_connect(world: &World) -> Result<(), Refusal> {
    let down = || world.lasting(|fault| *fault == Fault::Down(End::Client));
    let Some(cause) = world.stopped(&[Stops::All]).or_else(down) else {
        return Ok(());
    };
    let message = "the queue cannot be filled: the others connect from the client's host, and the path is broken";
    let help = "take this step before the path is broken, or after it is repaired";
    Err(Refusal::new(message).because(cause).help(help))
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fill {
            None => f.write_str("the server accepts nothing")?,
            Some(backlog) => write!(f, "fill the server's accept queue, backlog {backlog}")?,
        }
        match self.duration {
            Some(time) => write!(f, ", for {}", seconds(time)),
            None => Ok(()),
        }
    }
}
