//! Whether the steps of a case can be taken one after the other: each finds the network as those before it have left it.

mod host;
mod link;
mod middlebox;
mod network;
mod opening;
mod probes;
mod program;
mod writing;

use std::ops::Range;
use std::time::Duration;

use super::check::in_case;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::document::StepPart;
use super::overlay::Overlaid;
use crate::model::{End, Family, Node, Topology};
use crate::scenario::Case;
use crate::step::{Act, Action, RouteChange, Start, Step};
use link::Side;
use probes::Prober;

/// Reports each step that undoes what was not done, does what is done already, or can never succeed.
///
/// Where steps are of one family, each family has a network of its own as far as they go, and what is wrong with one alone is said to be.
pub(super) fn steps(case: &Overlaid, cx: &mut Context) {
    let mut steps = case.steps.iter().flatten();
    let wrong = if steps.any(|part| part.step.family.is_some()) {
        let [ipv4, ipv6] = Family::ALL.map(|family| walk(case, |step| step.concerns(family)));
        let of = |family, wrong: &[Wrong], other: &[Wrong]| -> Vec<Wrong> {
            let wrong = wrong.iter().filter(|wrong| wrong.is_so_beside(other));
            let wrong = wrong.cloned();
            wrong.map(|wrong| wrong.beside(family, other)).collect()
        };
        [
            of(Family::Ipv4, &ipv4, &ipv6),
            of(Family::Ipv6, &ipv6, &ipv4),
        ]
        .concat()
    } else {
        walk(case, |_| true)
    };
    for Wrong {
        step, diagnostic, ..
    } in wrong
    {
        cx.report(in_case(case, &step, diagnostic));
    }
}

/// What is wrong with a step.
#[derive(Clone, PartialEq, Eq)]
struct Wrong {
    step: Range<usize>,
    /// It waits for probes that never come.
    waits: bool,
    diagnostic: Diagnostic,
}

impl Wrong {
    /// A step that waits for probes comes once they have come over one family, where the connection
    /// over the other has ended.
    fn is_so_beside(&self, other: &[Self]) -> bool {
        let same = |other: &Self| other.waits && other.step == self.step;
        !self.waits || other.iter().any(same)
    }

    /// Names the family, unless the same is wrong over the other.
    fn beside(mut self, family: Family, other: &[Self]) -> Self {
        if !other.contains(&self) {
            let message = &mut self.diagnostic.message;
            *message = format!("over {family}, {message}");
        }
        self
    }
}

fn walk(case: &Overlaid, concerns: impl Fn(&Step) -> bool) -> Vec<Wrong> {
    let topology = case.network.ok().flatten();
    let mut network = Network::new(topology.map(|network| network.value.clone()));
    network.tracks = !matches!(case.firewall, Ok(None));
    let mut families = (case.carried().unwrap_or_default().iter()).flat_map(|c| c.families());
    network.carries_ipv6 = families.any(|family| family == Family::Ipv6);
    network.prober = Prober::of(case);
    let connects = |part: &&StepPart| part.step.action == Action::Connect;
    if let Some(part) = case.steps.iter().flatten().copied().find(connects) {
        network.connects_at(&part.verb);
    }
    let mut wrong = Vec::new();
    for part in &case.steps {
        // A step that could not be read may be the very one that a later step needs.
        let Ok(part) = part else {
            break;
        };
        let never = part
            .when
            .as_ref()
            .and_then(|when| network.wait(part.step.start, when));
        network.pass(part.step.start);
        let taken = concerns(&part.step).then(|| network.take(&part.step, &part.verb));
        let waits = never.is_some();
        if let Some(diagnostic) = never.or(taken.flatten()) {
            let step = part.verb.clone();
            wrong.push(Wrong {
                step,
                waits,
                diagnostic,
            });
        }
    }
    wrong
}

/// The step, by its position among those of the case, that keeps an exchange at its end from
/// getting through; `None` where one can.
pub(crate) fn unrepaired(case: &Case) -> Option<usize> {
    let place = |position: usize| position..position + 1;
    let mut network = Network::new(Some(case.topology.clone()));
    let connects = |step: &Step| step.action == Action::Connect;
    if let Some(position) = case.steps.iter().position(connects) {
        network.connects_at(&place(position));
    }
    for (position, step) in case.steps.iter().enumerate() {
        network.pass(step.start);
        if step.concerns(case.family) {
            // A checked case has no step that cannot be taken.
            network.take(step, &place(position));
        }
    }
    let (_, step) = network.stuck().into_iter().next()?;
    Some(step.start)
}

/// What is broken at one time.
struct Network {
    /// `None` where it is not known.
    topology: Option<Topology>,
    /// One of the steps opens the connections.
    connects: bool,
    /// With the step that broke it, in order.
    broken: Vec<(Broken, Range<usize>)>,
    /// Hosts whose packets have a bad path.
    impaired: Vec<End>,
    /// Cables that flap, and for how much longer; `None` as below.
    flapping: Vec<(End, Option<Duration>, Range<usize>)>,
    /// Hosts that are down from a reboot, and for how much longer; `None` where a step since has waited for who knows how long.
    returning: Vec<(End, Option<Duration>, Range<usize>)>,
    /// Routers that tell nobody of what is too large.
    silent: Vec<(Node, Range<usize>)>,
    /// The machines from the client to the server where there is only one way.
    way: Option<Vec<Node>>,
    /// The case runs over IPv6, alone or too.
    carries_ipv6: bool,
    /// There is a firewall, which may forget a flow and drop all of it.
    tracks: bool,
    /// The end whose probes are waited for.
    prober: Option<Prober>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Link(Side),
    Crashed(End),
    /// The host has rebooted, and knows of no connection any more.
    Forgotten(End),
    Route(Node, End, RouteChange),
    /// The node filters; what an exchange needs too, or not.
    Filter(Node, Hit),
    /// The node loses segments to this end.
    Loss(Node, End, Hit),
    /// The host has no address.
    Address(End),
    /// The node has a wrong entry for its neighbour on the way to this end.
    Neighbour(Node, End),
    /// The router forwards nothing.
    Forwarding(Node),
    /// The program reads nothing.
    Deaf(End),
    /// The program can write nothing any more.
    Shut(End),
    /// The program has no connection any more.
    Gone(End),
    /// The server accepts nothing; whether its queue is full, and whether that passes while the client connects.
    Unaccepting {
        full: bool,
        passes: bool,
    },
    /// No connection has been opened yet; the step that will.
    Unopened,
    /// The connection was to be opened over a network through which no handshake gets.
    Unconnected,
}

/// The most steps that are named as what a later one suffers from.
const MOST_CAUSES: usize = 5;

/// What cannot get through, of the segments that are hit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hit {
    /// Whatever matters gets through, sooner or later.
    Some,
    /// Data does not.
    Data,
    /// Bare acknowledgements do not: keepalive probes and their answers, and the end of each
    /// exchange.
    Acknowledgements,
    /// Nothing does, no handshake either.
    All,
}

impl Broken {
    /// What the step is to a later one that suffers from it.
    fn label(self) -> String {
        match self {
            Self::Link(side) => side.label(),
            Self::Crashed(host) => format!("the {host} crashes here"),
            Self::Forgotten(host) => format!("the {host} forgets its connections here"),
            Self::Route(on, to, _) => format!("the route to the {to} on {} changes here", on.the()),
            Self::Filter(on, _) => format!("{} filters from here", on.the()),
            Self::Loss(on, to, _) => {
                format!("{} loses segments to the {to} from here", on.the())
            }
            Self::Address(at) => format!("the {at}'s address is removed here"),
            Self::Neighbour(on, to) => format!(
                "the entry of {} for its neighbour towards the {to} is wrong from here",
                on.the()
            ),
            Self::Forwarding(on) => format!("{} forwards nothing from here", on.the()),
            Self::Deaf(at) => format!("the {at} stops reading here"),
            Self::Shut(at) => format!("the {at} shuts down its sending here"),
            Self::Unaccepting { .. } => "the server accepts nothing from here".to_owned(),
            Self::Unopened => "the connection is opened here".to_owned(),
            Self::Unconnected => "no connection can be opened here".to_owned(),
            Self::Gone(at) => format!("the {at} loses its connections here"),
        }
    }

    /// Whether an exchange can succeed all the same where the way leads there.
    fn lets_through(self) -> bool {
        matches!(
            self,
            Self::Filter(_, Hit::Some)
                | Self::Loss(_, _, Hit::Some)
                | Self::Route(_, _, RouteChange::Via(_))
        )
    }

    /// What it stops of all that passes there; `None` for what is about a program and not about the
    /// network.
    fn stops(self) -> Option<Hit> {
        match self {
            Self::Filter(_, hit) | Self::Loss(_, _, hit) => Some(hit),
            Self::Route(_, _, RouteChange::Via(_)) => Some(Hit::Some),
            Self::Link(_)
            | Self::Crashed(_)
            | Self::Route(..)
            | Self::Address(_)
            | Self::Neighbour(..)
            | Self::Forwarding(_) => Some(Hit::All),
            Self::Forgotten(_)
            | Self::Deaf(_)
            | Self::Shut(_)
            | Self::Gone(_)
            | Self::Unaccepting { .. }
            | Self::Unopened
            | Self::Unconnected => None,
        }
    }

    /// The machines where it is, if it is not at one of the ends.
    fn place(self) -> Vec<Node> {
        match self {
            Self::Link(Side::Link(at, to)) => vec![at, to],
            Self::Route(on, ..) | Self::Filter(on, _) | Self::Loss(on, ..) => vec![on],
            _ => Vec::new(),
        }
    }

    /// Whether both are about the same route.
    fn is_route(self, on: Node, to: End) -> bool {
        matches!(self, Self::Route(node, end, _) if (node, end) == (on, to))
    }
}

impl Network {
    fn new(topology: Option<Topology>) -> Self {
        Self {
            way: topology.as_ref().and_then(Topology::only_way),
            topology,
            connects: false,
            broken: Vec::new(),
            impaired: Vec::new(),
            flapping: Vec::new(),
            returning: Vec::new(),
            silent: Vec::new(),
            carries_ipv6: false,
            tracks: false,
            prober: None,
        }
    }

    fn connects_at(&mut self, verb: &Range<usize>) {
        self.connects = true;
        self.breaks(Broken::Unopened, verb);
    }

    /// Takes the time into account that goes by before a step.
    fn pass(&mut self, start: Start) {
        for (_, left, _) in self.returning.iter_mut().chain(&mut self.flapping) {
            *left = match start {
                Start::AtOnce => *left,
                Start::After(time) => left.map(|left| left.saturating_sub(time)),
                Start::When { .. } => None,
            };
        }
    }

    /// What is wrong with the step as the network is now; otherwise the network is what the step makes of it.
    fn take(&mut self, step: &Step, verb: &Range<usize>) -> Option<Diagnostic> {
        match &step.action {
            Action::Connect => self.connect(verb),
            Action::Exchange { .. } => self.unopened(verb).or_else(|| self.exchange(verb)),
            Action::Send { from, .. } => self.written(*from, verb).or_else(|| {
                self.send(*from, verb);
                None
            }),
            Action::Fill { from } => self.written(*from, verb).or_else(|| self.fill(*from, verb)),
            Action::Cable { at, change } => self.link(Side::Cable(*at), *change, verb),
            Action::Link { at, to, change } => self.link(Side::Link(*at, *to), *change, verb),
            Action::Crash { host } => self.crash(*host, verb),
            Action::Resume { host } => self.resume(*host, verb),
            Action::Reboot { host, downtime, .. } => self.reboot(*host, *downtime, verb),
            Action::Route { on, to, change } => self.route(*on, *to, *change, verb),
            Action::Network(step) => self.network(step, verb),
            Action::Middlebox(step) => self.middlebox(step, verb),
            Action::Listener(step) => self.listener(*step, verb),
            Action::Program(step) if step.act == Act::Kill => self.program(*step, verb),
            Action::Program(step) => self
                .unopened(verb)
                .or_else(|| self.unaccepted(step.at, verb))
                .or_else(|| self.program(*step, verb)),
        }
    }

    /// What is wrong with a step that writes.
    fn written(&self, from: End, verb: &Range<usize>) -> Option<Diagnostic> {
        self.unopened(verb)
            .or_else(|| self.unaccepted(from, verb))
            .or_else(|| self.write(from, verb))
    }

    fn find(&self, matches: impl Fn(Broken) -> bool) -> Option<&(Broken, Range<usize>)> {
        self.broken.iter().find(|(broken, _)| matches(*broken))
    }

    /// What is broken already stays so by the first step; and nothing breaks at a machine that is
    /// not there.
    fn breaks(&mut self, broken: Broken, verb: &Range<usize>) {
        let is_there = |node: &Node| {
            let topology = self.topology.as_ref();
            topology.is_none_or(|topology| topology.role(*node).is_some())
        };
        let is_new = self.find(|earlier| earlier == broken).is_none();
        if is_new && broken.place().iter().all(is_there) {
            self.broken.push((broken, verb.clone()));
        }
    }

    /// Whether every packet of the connection has to pass there; where there are several ways, the kernel decides.
    fn is_on_way(&self, broken: Broken) -> bool {
        if self.topology.is_none() {
            return true;
        }
        let place = broken.place();
        let way = self.way.as_ref();
        place.is_empty() || way.is_some_and(|way| place.iter().all(|node| way.contains(node)))
    }

    /// What keeps an exchange from getting through.
    fn stuck(&self) -> Vec<&(Broken, Range<usize>)> {
        let broken = self.broken.iter();
        let stuck = broken.filter(|(broken, _)| !broken.lets_through() && self.is_on_way(*broken));
        stuck.collect()
    }

    /// What stops segments of a kind on their way, in one direction at least.
    fn stops(&self, what: &[Hit]) -> Option<&(Broken, Range<usize>)> {
        let mut broken = self.broken.iter();
        broken.find(|(broken, _)| {
            let stops = broken.stops();
            stops.is_some_and(|hit| what.contains(&hit)) && self.is_on_way(*broken)
        })
    }

    /// An exchange waits for its answer.
    fn exchange(&self, verb: &Range<usize>) -> Option<Diagnostic> {
        let all = self.stuck();
        if all.is_empty() {
            return None;
        }
        let message = "this exchange can never succeed: its data or its answer has no way";
        let stuck = Diagnostic::new(verb.clone(), message);
        let shown = all.into_iter().take(MOST_CAUSES);
        let stuck = shown.fold(stuck, |stuck, (broken, span)| {
            stuck.related(span.clone(), broken.label())
        });
        let forgotten = |broken| matches!(broken, Broken::Forgotten(_));
        Some(if self.find(forgotten).is_some() {
            stuck
                .help("exchange before the reboot; a connection that is forgotten never comes back")
        } else {
            stuck.help("undo that first; or use `do = \"send\"`, which writes and does not wait")
        })
    }

    fn route(
        &mut self,
        on: Node,
        to: End,
        change: RouteChange,
        verb: &Range<usize>,
    ) -> Option<Diagnostic> {
        let now = self.find(|broken| broken.is_route(on, to));
        match now {
            None if change == RouteChange::Restore => {
                let message = format!(
                    "the route to the {to} on {} has not changed when it is restored",
                    on.the()
                );
                let help = format!(
                    "change it in an earlier step: `on = \"{on}\"`, `to = \"{to}\"`, `action = \"delete\"`"
                );
                return Some(Diagnostic::new(verb.clone(), message).help(help));
            }
            Some((same, earlier)) if *same == Broken::Route(on, to, change) => {
                let message = format!("the route to the {to} on {} is like that already", on.the());
                let twice =
                    Diagnostic::new(verb.clone(), message).related(earlier.clone(), same.label());
                return Some(twice.help("remove one of the two, or restore the route in between"));
            }
            _ => {}
        }
        self.heal(|broken| broken.is_route(on, to));
        if change != RouteChange::Restore {
            self.breaks(Broken::Route(on, to, change), verb);
        }
        None
    }

    /// Whether there was anything of the kind.
    fn heal(&mut self, matches: impl Fn(Broken) -> bool) -> bool {
        let before = self.broken.len();
        self.broken.retain(|(broken, _)| !matches(*broken));
        let healed = self.broken.len() < before;
        if healed && let Some(prober) = &mut self.prober {
            prober.renew();
        }
        healed
    }
}
