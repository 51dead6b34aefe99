//! `listener`: the server accepts no connection.
//!
//! The kernel completes a handshake before the program calls accept(2); the connection then waits
//! in the accept queue. The queue holds one connection more than the backlog of listen(2)
//! (`sk_acceptq_is_full`). If the queue is full, the kernel drops a SYN (`tcp_conn_request`). It
//! also drops the last acknowledgement of a handshake, or answers it with a RST if
//! `net.ipv4.tcp_abort_on_overflow` is set (`tcp_check_req`).

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

/// The server's program stops accepting connections. Its socket stays in state LISTEN.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// If set, the program also calls listen(2) with this backlog, 1..=128, and filler connections
    /// are opened until the accept queue is full.
    pub(crate) fill: Option<u8>,
    /// The time after which the program accepts again; `None`: never.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub(crate) duration: Option<Duration>,
}

impl Listener {
    /// The number of connections that fill the accept queue (`sk_acceptq_is_full`); 0 without
    /// `fill`.
    #[must_use]
    pub(crate) fn fillers(self) -> u32 {
        self.fill.map_or(0, |backlog| u32::from(backlog) + 1)
    }
}

#[derive(Clone, Copy)]
enum Word {
    Pause,
    Fill,
}

/// The default backlog. With a backlog of 1, two connections can wait.
const SMALLEST: u8 = 1;

const ACTION: Key<Word> = Key::word(
    "action",
    &[("pause", Word::Pause), ("fill", Word::Fill)],
    "`pause`: the server accepts no connection; `fill`: in addition, filler connections are opened until its accept queue is full.",
)
.required("the action: `action = \"fill\"`");
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
    about: "The server's program accepts no connection, like a program that is too busy. The step comes before `connect`, or after it to affect the \
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
            let message = "`backlog` has no effect: this action does not fill the queue";
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
            let message = "`for` has no effect: no connection is opened after this step";
            let help = "move the step before `do = \"connect\"`, or omit `for`";
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
            let twice = Refusal::new("the server already accepts no connection").because(earlier);
            return Err(twice.help("remove one of the two"));
        }
        world.begin(Fault::NotAccepting {
            full: fills,
            passes,
        });
        Ok(())
    }
}

/// Refuses to fill the queue over a broken path: the filler connections come from the client's
/// host.
fn others_can_connect(world: &World) -> Result<(), Refusal> {
    let down = || world.lasting(|fault| *fault == Fault::Down(End::Client));
    let Some(cause) = world.stopped(&[Stops::All]).or_else(down) else {
        return Ok(());
    };
    let message = "the queue cannot be filled: the filler connections come from the client's host, and the path is broken";
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
