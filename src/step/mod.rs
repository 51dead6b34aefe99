//! The steps of a case. Each `do` word has one file, with the type of the step, its keys, its
//! parser, its description, and its effect on the [`World`].
//!
//! To add a step, add a file here, a file of the same name in `runner/step/`, and a row in
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
pub(crate) use crate::world::Named;
pub(crate) use crate::world::Need;
use crate::world::{Cause, Fault, Firewalled, Refusal, World};

/// Calls a macro with all steps. First come the steps of an end's program, which each variant of a
/// dual-stack case runs for itself; then the steps on the network, which the variants run together.
/// A row is the `do` word, which is also the name of the file, and the type.
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

        /// The action of a step.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(untagged)]
        pub enum Action {
            /// A change of the network.
            Network(NetworkAction),
            /// An action of an end's program.
            Program(ProgramAction),
        }

        /// An action of a step on the network.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum NetworkAction {
            $(#[doc = concat!("`do = \"", stringify!($network), "\"`.")] $Network($Network),)*
        }

        /// An action of an end's program.
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

            /// Whether the step is a fault, a repair or traffic.
            #[must_use]
            pub(crate) fn kind(&self) -> StepKind {
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

        /// All kinds of steps, in the order of the reference.
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
pub(crate) use conntrack::ConntrackChange;
pub use impair::{Delay, Impairment};
pub use neighbour::NeighbourChange;
pub(crate) use process::Signal;
pub use reboot::HardwareAddress;
pub(crate) use socket::SocketAct;

/// A kind of step: its `do` word and its keys.
pub(crate) struct Kind {
    /// The `do` word.
    pub(crate) word: &'static str,
    /// The description in the reference.
    pub(crate) about: &'static str,
    /// The keys of this kind only, in the order of the reference.
    pub(crate) keys: &'static [&'static dyn Describe],
    /// The constraints between the keys.
    pub(crate) relations: &'static [Relation],
    /// Whether the step changes something that is separate for each family, such as an address or a
    /// route. Such a step has the key `family`.
    pub(crate) of_family: bool,
}

/// A kind of step, with the function that reads it.
pub(crate) struct Row {
    pub(crate) kind: &'static Kind,
    read: fn(&mut Table, &mut Context) -> Result<Action, Reported>,
}

/// The interface of every step.
pub(crate) trait Act: fmt::Display {
    /// Whether the step is a fault, a repair or traffic.
    fn kind(&self) -> StepKind;

    /// The machines that the step names. `check` refuses the step if one of them is not in the
    /// topology, or does not meet the step's [`Need`].
    fn machines(&self) -> Vec<Named>;

    /// Whether the step must wait until this fault has ended by itself. `check` refuses the step if
    /// it comes earlier by the times in the file. In the lab the fault may end a little later than
    /// that, so the step waits for its end.
    fn waits_for(&self, _: &Fault, _: &World) -> bool {
        false
    }

    /// Applies the step to the World.
    ///
    /// # Errors
    /// [`Refusal`] if the step is impossible in the present state of the World.
    fn act(&self, world: &mut World) -> Result<(), Refusal>;
}

/// The purpose of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The step breaks something.
    Fault,
    /// The step repairs something.
    Repair,
    /// The step opens the connections, or sends data.
    Traffic,
}

/// One step of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The start time, relative to the end of the previous step (or to the established connection).
    pub start: Start,
    /// The action.
    pub action: Action,
    /// In a dual-stack network: the family that the step applies to. `None`: each family that the
    /// network carries.
    pub family: Option<Family>,
    /// The line (from 1) in the file, for messages.
    pub line: usize,
}

/// The start time of a step.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At the end of the previous step.
    AtOnce,
    /// This long after the end of the previous step.
    After(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
    /// When this many keepalive probes of the observed end were sent or answered since the end of
    /// the previous step.
    When {
        /// The number of probes, at least 1.
        count: u32,
        /// Whether probes count when they are sent, or when they are answered.
        what: ProbeEvent,
    },
}

impl Step {
    /// Whether the step applies to connections over this family.
    #[must_use]
    pub fn applies_to(&self, family: Family) -> bool {
        self.family.is_none_or(|only| only == family)
    }

    /// The time from the end of the previous step; `None` if the step waits for probes.
    #[must_use]
    pub(crate) fn time(&self) -> Option<Duration> {
        match self.start {
            Start::AtOnce => Some(Duration::ZERO),
            Start::After(time) => Some(time),
            Start::When { .. } => None,
        }
    }

    /// Advances the World to the start of this step. `position` is the index of the step in the
    /// case.
    ///
    /// # Errors
    /// [`Refusal`] if the step waits for probes that can never be sent or answered.
    pub(crate) fn begin(&self, position: usize, world: &mut World) -> Result<(), Refusal> {
        let waited = match self.start {
            Start::AtOnce | Start::After(_) => Ok(()),
            Start::When { count, what } => world.wait(count, what),
        };
        world.advance(position, self.time());
        waited.map_err(|refusal| refusal.at(WAIT))
    }

    /// Applies the step to the World, unless the step is for the other family.
    ///
    /// # Errors
    /// [`Refusal`] if the step is impossible in the present state of the World.
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

    /// Whether the step is a fault, a repair or traffic.
    #[must_use]
    pub fn kind(&self) -> StepKind {
        self.step().kind()
    }

    /// Whether the step is a fault. The first fault is the zero of the case's times; in a case with
    /// `connect`, that step is.
    #[must_use]
    pub(crate) fn is_fault(&self) -> bool {
        self.kind() == StepKind::Fault
    }

    /// Whether this is a step on the network, which the variants of a dual-stack case run together.
    #[must_use]
    pub(crate) fn is_at_network(&self) -> bool {
        matches!(self, Self::Network(_))
    }

    /// Whether the step opens the connections.
    #[must_use]
    pub(crate) fn opens(&self) -> bool {
        matches!(self, Self::Program(ProgramAction::Connect(_)))
    }

    /// The machines that the step names.
    #[must_use]
    pub(crate) fn machines(&self) -> Vec<Named> {
        self.step().machines()
    }

    /// Whether the step must wait until a present fault has ended by itself.
    pub(crate) fn must_wait(&self, world: &World) -> bool {
        let step = self.step();
        world.faults().any(|fault| step.waits_for(fault, world))
    }

    /// Applies the step to the World.
    ///
    /// # Errors
    /// [`Refusal`] if the step is impossible in the present state of the World.
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

/// The maximum number of bytes that one step writes. With more, it would depend on the sizes of the
/// buffers whether the payload is sent.
const MOST_BYTES: u64 = 65536;

/// The maximum number of repetitions. With more, a case would take hours to show what virtual time
/// shows in minutes.
const MOST_TIMES: u64 = 1000;

/// The words of a file for groups of segments.
const SEGMENTS: [(&str, Segments); 5] = [
    ("any", Segments::Any),
    ("probes", Segments::Probes),
    ("answers", Segments::Answers),
    ("data", Segments::Data),
    ("rst", Segments::Rst),
];

/// The key `from`: the end that writes.
const fn from(about: &'static str) -> Key<End> {
    end("from", about)
}

/// The required key `host`.
const fn host(about: &'static str) -> Key<End> {
    end("host", about).required("`host = \"client\"` or `host = \"server\"`")
}

/// Refuses to match probes or their answers in a direction where they cannot be recognized. A probe
/// looks like any other bare acknowledgement, so a filter can recognize probes only if exactly one
/// end sends them.
fn distinguishable(world: &World, to: Option<End>, what: Segments) -> Result<(), Refusal> {
    let (sends_probes, words) = match what {
        Segments::Probes => (to.map(End::peer), "keepalive probes"),
        Segments::Answers => (to, "keepalive answers"),
        Segments::Any | Segments::Established | Segments::Data | Segments::Rst => return Ok(()),
    };
    let Some(prober) = sends_probes else {
        let both = Refusal::new(format!("{words} go in one direction only")).at("what");
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
            let help = "a probe looks like an answer to a probe of the other end: remove `keepalive` from one of the ends";
            Err(Refusal::new(message).at("what").help(help))
        }
        (None, _) | (_, None) | (Some(true), Some(false)) => Ok(()),
    }
}

/// Refuses a router without connection tracking: a router tracks flows only if it is the firewall
/// of the topology.
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

/// A step, with the byte ranges of its keys in the file.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) step: Step,
    /// The byte range of the value of `action`, else of `do`.
    pub(crate) verb: Range<usize>,
    /// The keys of the step, each with the byte range of its value.
    pub(crate) places: Vec<(String, Range<usize>)>,
}

impl Written {
    /// The byte range of the value of a key, if the step has the key.
    pub(crate) fn place(&self, key: &str) -> Option<Range<usize>> {
        let mut places = self.places.iter();
        places
            .find(|(name, _)| name == key)
            .map(|(_, place)| place.clone())
    }
}

const DO: Key<&'static Row> = Key::value("do", Shape::Step, row, "The kind of the step.")
    .required("the kind of the step, such as `do = \"exchange\"`");
const AFTER: Key<Duration> = duration(
    "after",
    "The time from the end of the previous step (or from the established connection) to the start of this step.",
);
const WHEN: Key<(u32, ProbeEvent)> = Key::value(
    "when",
    Shape::When,
    |value, cx| value.quantity("a string such as `\"2 probes answered\"`", when, cx),
    "The step starts when this number of keepalive probes was sent, or answered, since the previous step: `\"2 probes answered\"`.",
);
const FAMILY: Key<Family> = Key::word(
    "family",
    &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)],
    "The family that the step applies to, in a network that carries both families; both, if absent.",
);

/// The name of the key that waits for probes.
pub(crate) const WAIT: &str = WHEN.name();

/// The keys of every step.
pub(crate) const COMMON: &[&dyn Describe] = &[&DO, &AFTER, &WHEN];
/// The further key of the steps that may be for one family.
pub(crate) const OF_FAMILY: &dyn Describe = &FAMILY;

/// The constraints between the keys of every step.
pub(crate) const RELATIONS: &[Relation] = &[Relation::Excludes(&[AFTER.name()], &[WHEN.name()])];

fn row(value: &Value, cx: &mut Context) -> Result<&'static Row, Reported> {
    let words: Vec<(&str, &Row)> = ROWS.iter().map(|row| (row.kind.word, row)).collect();
    value.word(&words, cx)
}

/// Reads a `[[step]]`. The result has one step, or `count` steps for a repeated `send`.
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

/// The repetition of a step: the number of repetitions in all, and the time between two of them.
struct Repeated {
    every: Duration,
    count: u32,
}

fn one(value: &Value, cx: &mut Context) -> Result<(Written, Option<Repeated>), Reported> {
    let mut table = value.table(cx)?;
    let row = match DO.need(&mut table, cx) {
        Ok(row) => row.value,
        Err(reported) => {
            // The kind of the step is unknown. Only the keys that no step has are reported.
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
            Err(cx.report(alone.help("add the number of sends: `count = 5`")))
        }
        (None, Some(count)) => {
            let alone = Diagnostic::new(count.span, "`count` is given without `every`");
            Err(cx.report(alone.help("add the time between two sends: `every = \"500ms\"`")))
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
