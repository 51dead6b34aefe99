//! The steps of a case: one file for each `do` word, with its type, its keys, its reading, its
//! description, and its act on the [`World`].
//!
//! A step is added by a file here, a file of the same name in `runner/step/`, and a row in
//! [`for_each_step`].

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::file::{
    Context, Describe, Diagnostic, Key, Relation, Reported, Shape, Table, Value, duration, end,
    when,
};
use crate::model::{End, Family, Node, ProbeEvent, Segments};
pub use crate::world::Named;
pub use crate::world::Need;
use crate::world::{Cause, Fault, Firewalled, Refusal, World};

/// Calls a macro with all steps: first those of an end's program, which each variant of a dual-stack
/// case takes by itself, then those at the network, which the variants take together. A row is the
/// `do` word, which is the name of the file, and the type.
macro_rules! for_each_step {
    ($then:path) => {
        $then! {
            program {
                connect: Connect,
                exchange: Exchange,
                send: SendData,
                fill: Fill,
                listener: Listener,
                socket: Socket,
                process: Process,
                reader: Reader,
            }
            network {
                cable: Cable,
                crash: Crash,
                resume: Resume,
                reboot: Reboot,
                route: Route,
                address: Address,
                neighbour: Neighbour,
                forwarding: Forwarding,
                flap: Flap,
                impair: Impair,
                filter: Filter,
                lose: Lose,
                conntrack: Conntrack,
                mtu: Mtu,
                blackhole: Blackhole,
            }
        }
    };
}
pub(crate) use for_each_step;

macro_rules! declare {
    (
        program { $($program:ident: $Program:ident,)* }
        network { $($network:ident: $Network:ident,)* }
    ) => {
        $(mod $network;)*
        $(mod $program;)*
        $(pub use $network::$Network;)*
        $(pub use $program::$Program;)*

        /// What a step does.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(untagged)]
        pub enum Action {
            /// It changes the network.
            Network(NetworkAction),
            /// An end's program does something.
            Program(ProgramAction),
        }

        /// What a step does to the network.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum NetworkAction {
            $(#[doc = concat!("`do = \"", stringify!($network), "\"`.")] $Network($Network),)*
        }

        /// What a step has an end's program do.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ProgramAction {
            $(#[doc = concat!("`do = \"", stringify!($program), "\"`.")] $Program($Program),)*
        }

        impl NetworkAction {
            fn act(&self) -> &dyn Act {
                match self { $(Self::$Network(step) => step,)* }
            }
        }

        impl ProgramAction {
            fn act(&self) -> &dyn Act {
                match self { $(Self::$Program(step) => step,)* }
            }

            /// What the step is for.
            #[must_use]
            pub fn kind(&self) -> StepKind {
                self.act().kind()
            }
        }

        $(impl From<$Network> for Action {
            fn from(step: $Network) -> Self {
                Self::Network(NetworkAction::$Network(step))
            }
        })*

        $(impl From<$Program> for Action {
            fn from(step: $Program) -> Self {
                Self::Program(ProgramAction::$Program(step))
            }
        })*

        /// All kinds of steps.
        pub(crate) const ROWS: &[Row] = &[
            $(Row {
                kind: &$program::KIND,
                read: |table, cx| $program::read(table, cx).map(Action::from),
            },)*
            $(Row {
                kind: &$network::KIND,
                read: |table, cx| $network::read(table, cx).map(Action::from),
            },)*
        ];
    };
}
for_each_step!(declare);

pub use address::AddressChange;
pub use cable::CableChange;
pub use conntrack::ConntrackChange;
pub use impair::{Delay, Impairment};
pub use neighbour::NeighbourChange;
pub use process::Signal;
pub use reboot::HardwareAddress;
pub use socket::SocketAct;

/// A kind of step: its `do` word with its keys.
pub(crate) struct Kind {
    /// The `do` word.
    pub(crate) word: &'static str,
    /// One sentence for the reference.
    pub(crate) about: &'static str,
    /// Its own keys, in the order of the reference.
    pub(crate) keys: &'static [&'static dyn Describe],
    /// What is to hold between them.
    pub(crate) relations: &'static [Relation],
    /// It changes something that each family has for itself, so it may be for one family only.
    pub(crate) of_family: bool,
}

/// A kind of step, with the function that reads it.
pub(crate) struct Row {
    pub(crate) kind: &'static Kind,
    read: fn(&mut Table, &mut Context) -> Result<Action, Reported>,
}

/// What every step has.
pub(crate) trait Act: fmt::Display {
    /// What it is for.
    fn kind(&self) -> StepKind;

    /// The machines that it names. `check` refuses a step whose machines are not in the topology,
    /// or cannot do what it needs.
    fn machines(&self) -> Vec<Named>;

    /// Whether the step acts only after this fault has ended by itself. `check` refuses a step that
    /// comes before that by the file's times; the lab may need a little longer, and the step waits.
    fn waits_for(&self, _: &Fault, _: &World) -> bool {
        false
    }

    /// Changes the network as the step does.
    ///
    /// # Errors
    /// [`Refusal`] where the step is impossible in the network as it is.
    fn act(&self, world: &mut World) -> Result<(), Refusal>;
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It breaks something.
    Fault,
    /// It repairs something.
    Repair,
    /// It sends data.
    Traffic,
}

/// One step of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// When, counted from the end of the step before (or from the established connection).
    pub start: Start,
    /// What.
    pub action: Action,
    /// In a network that carries both families: the family that it is for. `None`: all that the
    /// network carries.
    pub family: Option<Family>,
    /// Line (from 1) in the file, for messages.
    pub line: usize,
}

/// When a step is due.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// As soon as the step before is done.
    AtOnce,
    /// This long after the step before is done.
    After(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
    /// Once the observed end has seen this many keepalive probes since the step before was done.
    When {
        /// At least 1.
        count: u32,
        /// Sent, or sent and answered.
        what: ProbeEvent,
    },
}

impl Step {
    /// Whether it makes a difference to connections over this family.
    #[must_use]
    pub fn applies_to(&self, family: Family) -> bool {
        self.family.is_none_or(|only| only == family)
    }

    /// The time from the end of the step before; `None`: until probes have come.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        match self.start {
            Start::AtOnce => Some(Duration::ZERO),
            Start::After(time) => Some(time),
            Start::When { .. } => None,
        }
    }

    /// Goes on to this step, which has this position in the case.
    ///
    /// # Errors
    /// [`Refusal`] where it waits for probes that can never come.
    pub(crate) fn begin(&self, position: usize, world: &mut World) -> Result<(), Refusal> {
        let waited = match self.start {
            Start::AtOnce | Start::After(_) => Ok(()),
            Start::When { count, what } => world.wait(count, what),
        };
        world.advance(position, self.time());
        waited.map_err(|refusal| refusal.at(WAIT))
    }

    /// Acts, unless the step is for the other family.
    ///
    /// # Errors
    /// [`Refusal`] where the step is impossible in the network as it is.
    pub(crate) fn act(&self, world: &mut World) -> Result<(), Refusal> {
        if self.applies_to(world.family()) {
            self.action.act(world)
        } else {
            Ok(())
        }
    }
}

impl Action {
    fn step(&self) -> &dyn Act {
        match self {
            Self::Network(action) => action.act(),
            Self::Program(action) => action.act(),
        }
    }

    /// What the step is for.
    #[must_use]
    pub fn kind(&self) -> StepKind {
        self.step().kind()
    }

    /// Whether the step takes something away from the connection, which makes it the zero of the
    /// case's times.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        self.kind() == StepKind::Fault
    }

    /// Whether it is a step at the network, which the variants of a case take together.
    #[must_use]
    pub fn is_at_network(&self) -> bool {
        matches!(self, Self::Network(_))
    }

    /// Whether it opens the connections.
    #[must_use]
    pub fn opens(&self) -> bool {
        matches!(self, Self::Program(ProgramAction::Connect(_)))
    }

    /// The machines that it names.
    #[must_use]
    pub fn machines(&self) -> Vec<Named> {
        self.step().machines()
    }

    /// Whether the step acts only after a fault of this network has ended by itself.
    pub(crate) fn must_wait(&self, world: &World) -> bool {
        let step = self.step();
        world.faults().any(|fault| step.waits_for(fault, world))
    }

    /// Changes the network as the step does.
    ///
    /// # Errors
    /// [`Refusal`] where the step is impossible in the network as it is.
    pub(crate) fn act(&self, world: &mut World) -> Result<(), Refusal> {
        self.step().act(world)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.step(), f)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            None => self.action.fmt(f),
            Some(family) => write!(f, "{} ({family} only)", self.action),
        }
    }
}

/// The most bytes that one step writes: more would make "the payload was sent" a matter of buffers.
const MOST_BYTES: u64 = 65536;

/// The most repetitions: more would make a case of hours of what virtual time shows in minutes.
const MOST_TIMES: u64 = 1000;

/// What a file can call a segment.
const SEGMENTS: [(&str, Segments); 5] = [
    ("any", Segments::Any),
    ("probes", Segments::Probes),
    ("answers", Segments::Answers),
    ("data", Segments::Data),
    ("rst", Segments::Rst),
];

/// The end that writes.
const fn from(about: &'static str) -> Key<End> {
    end("from", about)
}

/// A host.
const fn host(about: &'static str) -> Key<End> {
    end("host", about).required("`host = \"client\"` or `host = \"server\"`")
}

/// A probe looks like any other bare acknowledgement, so only one end may send some.
fn distinguishable(world: &World, to: Option<End>, what: Segments) -> Result<(), Refusal> {
    let (sends_probes, words) = match what {
        Segments::Probes => (to.map(End::peer), "keepalive probes"),
        Segments::Answers => (to, "keepalive answers"),
        Segments::Any | Segments::Established | Segments::Data | Segments::Rst => return Ok(()),
    };
    let Some(prober) = sends_probes else {
        let both = Refusal::new(format!("{words} go in one direction")).at("what");
        return Err(both.help("add `to = \"client\"` or `to = \"server\"`"));
    };
    let [client, server] = world.setting().keepalive;
    let (own, other) = match prober {
        End::Client => (client, server),
        End::Server => (server, client),
    };
    match (own, other) {
        (Some(false), Some(_)) => {
            let message =
                format!("there are no {words} in this direction: the {prober} has no keepalive");
            let help = format!("set `connection.{prober}.keepalive`");
            Err(Refusal::new(message).at("what").help(help))
        }
        (Some(true), Some(true)) => {
            let message =
                format!("no filter can distinguish {words} here, because both ends have keepalive");
            let help = "a probe looks like the answer to the other end's: take keepalive from one of the ends";
            Err(Refusal::new(message).at("what").help(help))
        }
        (None, _) | (_, None) | (Some(true), Some(false)) => Ok(()),
    }
}

/// A router tracks flows only if it has done so from the beginning.
fn tracked(world: &World, on: Node) -> Result<(), Refusal> {
    let untracked = Refusal::new(format!("{} has no connection tracking", on.the()));
    match world.setting().firewall {
        Firewalled::No => Err(untracked.help("add `firewall = {}` to `[topology]`")),
        Firewalled::At(router) if router != on => Err(untracked
            .because_of(Cause::Firewall, "the firewall is there")
            .help(format!("write `on = \"{router}\"`"))),
        Firewalled::At(_) | Firewalled::Unknown => Ok(()),
    }
}

/// A step as it is written, with the places of its keys.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) step: Step,
    /// The value of `action`, or else of `do`.
    pub(crate) verb: Range<usize>,
    /// The values of all its keys.
    pub(crate) places: Vec<(String, Range<usize>)>,
}

impl Written {
    /// The value of a key, if the step has it.
    pub(crate) fn place(&self, key: &str) -> Option<Range<usize>> {
        let mut places = self.places.iter();
        places
            .find(|(name, _)| name == key)
            .map(|(_, place)| place.clone())
    }
}

const DO: Key<&'static Row> = Key::value("do", Shape::Step, row, "The kind of the step.")
    .required("what the step does, such as `do = \"exchange\"`");
const AFTER: Key<Duration> = duration(
    "after",
    "How long after the end of the step before (or after the established connection) it is taken.",
);
const WHEN: Key<(u32, ProbeEvent)> = Key::value(
    "when",
    Shape::When,
    |value, cx| value.quantity("a string such as `\"2 probes answered\"`", when, cx),
    "It is taken once so many keepalive probes were sent, or answered, since the step before: `\"2 probes answered\"`.",
);
const FAMILY: Key<Family> = Key::word(
    "family",
    &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)],
    "The family that it is for, in a network that carries both; both, if absent.",
);

/// The key of a wait for probes.
pub(crate) const WAIT: &str = WHEN.name();

/// The keys that every step has, and those of a step for one family.
pub(crate) const COMMON: &[&dyn Describe] = &[&DO, &AFTER, &WHEN];
pub(crate) const OF_FAMILY: &dyn Describe = &FAMILY;

/// What holds between the keys of every step.
pub(crate) const RELATIONS: &[Relation] = &[Relation::Excludes(&[AFTER.name()], &[WHEN.name()])];

fn row(value: &Value, cx: &mut Context) -> Result<&'static Row, Reported> {
    let words: Vec<(&str, &Row)> = ROWS.iter().map(|row| (row.kind.word, row)).collect();
    value.word(&words, cx)
}

/// Reads a `[[step]]`: one step, or as many as it is to be taken.
pub(crate) fn read(value: &Value, cx: &mut Context) -> Vec<Result<Written, Reported>> {
    let (part, repeated) = match one(value, cx) {
        Ok(read) => read,
        Err(reported) => return vec![Err(reported)],
    };
    let Some(Repeated { every, count }) = repeated else {
        return vec![Ok(part)];
    };
    let mut again = part.clone();
    again.step.start = Start::After(every);
    let others = std::iter::repeat_n(again, count as usize - 1);
    std::iter::once(part).chain(others).map(Ok).collect()
}

/// How often a step is taken, and how long after the one before.
struct Repeated {
    every: Duration,
    count: u32,
}

fn one(value: &Value, cx: &mut Context) -> Result<(Written, Option<Repeated>), Reported> {
    let mut table = value.table(cx)?;
    let row = match DO.need(&mut table, cx) {
        Ok(row) => row.value,
        Err(reported) => {
            // Which keys belong here is unknown; but some belong nowhere.
            let own = ROWS.iter().flat_map(|row| row.kind.keys);
            let known = own.chain(&COMMON[1..]).chain([&OF_FAMILY]);
            let mut known: Vec<&str> = known.map(|key| key.describe().name).collect();
            known.sort_unstable();
            known.dedup();
            known.into_iter().for_each(|key| table.allow(key));
            return Err(table.finish(cx).err().unwrap_or(reported));
        }
    };
    let kind = row.kind;
    let action = (row.read)(&mut table, cx);
    let repeated = if kind.word == send::KIND.word {
        repeated(&mut table, cx)
    } else {
        Ok(None)
    };
    let family = if kind.of_family {
        FAMILY.get(&mut table, cx)
    } else {
        Ok(None)
    };
    let start = start(&mut table, cx);
    let verb = table.place();
    let places = table.places();
    table.finish(cx)?;
    let (start, family) = (start?, family?);
    let step = Step {
        start,
        action: action?,
        family: family.map(|at| at.value),
        line: cx.line(&value.span()),
    };
    Ok((Written { step, verb, places }, repeated?))
}

fn repeated(table: &mut Table, cx: &mut Context) -> Result<Option<Repeated>, Reported> {
    let every = send::EVERY.get(table, cx);
    let count = send::COUNT.get(table, cx);
    match (every?, count?) {
        (None, None) => Ok(None),
        (Some(every), Some(count)) => Ok(Some(Repeated {
            every: every.value,
            count: count.value,
        })),
        (Some(every), None) => {
            let alone = Diagnostic::new(every.span, "`every` is given without `count`");
            Err(cx.report(alone.help("add how often in all: `count = 5`")))
        }
        (None, Some(count)) => {
            let alone = Diagnostic::new(count.span, "`count` is given without `every`");
            Err(cx.report(alone.help("add how long after the one before: `every = \"500ms\"`")))
        }
    }
}

fn start(table: &mut Table, cx: &mut Context) -> Result<Start, Reported> {
    let after = AFTER.get(table, cx);
    let when = WHEN.get(table, cx);
    match (after?, when?) {
        (None, None) => Ok(Start::AtOnce),
        (Some(after), None) => Ok(Start::After(after.value)),
        (None, Some(when)) => {
            let (count, what) = when.value;
            Ok(Start::When { count, what })
        }
        (Some(after), Some(when)) => {
            let clash = Diagnostic::new(when.span, "a step has both `after` and `when`")
                .related(after.span, "`after` is given here")
                .help("remove one of them");
            Err(cx.report(clash))
        }
    }
}
