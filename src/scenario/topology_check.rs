//! Whether the network of a case has what its steps and its firewall are about.

use std::ops::Range;

use super::check::in_case;
use super::context::{Context, Reported};
use super::diagnostic::Diagnostic;
use super::document::StepPart;
use super::overlay::Overlaid;
use super::suggest::{alternatives, nearest};
use crate::model::{End, Firewall, Node, Preset, Role, Topology};
use crate::step::{Action, Middlebox, NetworkStep, RouteChange};

/// What a machine must be for a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// One with routes.
    Routes,
    /// One that forwards packets.
    Router,
    /// One that forwards anything.
    Between,
    /// Whatever it is.
    Any,
}

impl Need {
    fn is_met_by(self, role: Role) -> bool {
        match self {
            Self::Routes => role != Role::Switch,
            Self::Router => role == Role::Router,
            Self::Between => role != Role::Host,
            Self::Any => true,
        }
    }
}

/// Reports each step, setting and expectation that names a machine or a link that is not there, or a machine that cannot do what it says.
pub(super) fn names(case: &Overlaid, cx: &mut Context) {
    let Ok(Some(network)) = case.network else {
        return;
    };
    for part in case.steps.iter().flatten() {
        let wrong = step(&network.value, part);
        if let Some((span, wrong)) = wrong {
            cx.report(in_case(case, &span, wrong));
        }
    }
    let sysctls = case.sysctl.ok().flatten();
    for at in sysctls.map_or(&[][..], |sysctls| &sysctls.value) {
        if let Some((span, wrong)) = machine(&network.value, at.value.node, Need::Any, &at.span) {
            cx.report(in_case(case, &span, wrong));
        }
    }
    let expected = [End::Client, End::Server].map(|end| case.expectations(end));
    for part in expected.into_iter().flatten() {
        let named = part.value.machine.as_ref();
        let wrong = named.and_then(|at| machine(&network.value, at.value, Need::Routes, &at.span));
        if let Some((span, wrong)) = wrong {
            cx.report(in_case(case, &span, wrong));
        }
    }
}

type Wrong = Option<(Range<usize>, Diagnostic)>;

fn step(topology: &Topology, part: &StepPart) -> Wrong {
    let at = part.node.as_ref()?;
    match &part.step.action {
        Action::Route { on, change, .. } => {
            machine(topology, *on, Need::Routes, at).or_else(|| match change {
                RouteChange::Via(via) => next(topology, *on, *via, part.other.as_ref()?),
                _ => None,
            })
        }
        Action::Link { at: own, to, .. } => {
            let across = part.other.as_ref()?;
            machine(topology, *own, Need::Any, at)
                .or_else(|| machine(topology, *to, Need::Any, across))
                .or_else(|| link(topology, *own, *to, across))
        }
        Action::Network(NetworkStep::Neighbour { on, .. }) => {
            machine(topology, *on, Need::Routes, at)
        }
        Action::Network(NetworkStep::Forwarding { on, .. }) => {
            machine(topology, *on, Need::Router, at)
        }
        Action::Middlebox(step) => {
            let need = match step {
                Middlebox::Lose { .. } | Middlebox::StopLosing { .. } => Need::Between,
                _ => Need::Router,
            };
            machine(topology, step.node(), need, at)
        }
        _ => None,
    }
}

/// What is wrong with a machine that a step names.
fn machine(topology: &Topology, node: Node, need: Need, span: &Range<usize>) -> Wrong {
    let message = match topology.role(node) {
        Some(role) if need.is_met_by(role) => return None,
        Some(Role::Switch) if need == Need::Routes => {
            format!(
                "{} has no routes: it forwards frames, not packets",
                node.the()
            )
        }
        Some(_) if need == Need::Between => format!("{} lies between nobody", node.the()),
        Some(_) => format!("{} is no router", node.the()),
        None => match topology.preset() {
            Some(preset) => format!("the `{preset}` topology has no {node}"),
            None => format!("the topology has no `{node}`"),
        },
    };
    let help = others(topology, node, need);
    Some((
        span.clone(),
        Diagnostic::new(span.clone(), message).help(help),
    ))
}

/// Which machine it could be.
fn others(topology: &Topology, node: Node, need: Need) -> String {
    let fitting = topology.machines().iter();
    let fitting = fitting.filter(|machine| need.is_met_by(machine.role));
    let names: Vec<&str> = fitting.map(|machine| machine.node.name()).collect();
    let known = topology.role(node).is_some();
    if let Some(meant) = nearest(node.name(), names.iter().copied()).filter(|_| !known) {
        return format!("did you mean `{meant}`?");
    }
    match (names.as_slice(), need) {
        ([], Need::Between) => {
            "a cable loses nothing: there is a switch in `switched` and a router in `routed`"
                .to_owned()
        }
        ([], _) => {
            "there is a router in the preset `routed`, or one of your own in `nodes`".to_owned()
        }
        ([only], _) => format!("it can only be `{only}`"),
        (names, Need::Routes) => {
            format!("its nodes with routes are {}", alternatives(names, "and"))
        }
        (names, Need::Router) => format!("its routers are {}", alternatives(names, "and")),
        (names, Need::Between | Need::Any) => format!("it can be {}", alternatives(names, "or")),
    }
}

fn next(topology: &Topology, on: Node, via: Node, span: &Range<usize>) -> Wrong {
    if let Some(wrong) = machine(topology, via, Need::Router, span) {
        return Some(wrong);
    }
    let next = topology.next_routers(on);
    if next.contains(&via) {
        return None;
    }
    let message = format!("{} is on no network of {}", via.the(), on.the());
    let names: Vec<&str> = next.iter().map(Node::name).collect();
    let help = match names.as_slice() {
        [] => format!("{} has no router to send to", on.the()),
        names => format!("{} can send to {}", on.the(), alternatives(names, "and")),
    };
    let far = Diagnostic::new(span.clone(), message).help(help);
    Some((span.clone(), far))
}

fn link(topology: &Topology, at: Node, to: Node, span: &Range<usize>) -> Wrong {
    let across: Vec<Node> = topology.neighbours(at).collect();
    if across.contains(&to) {
        return None;
    }
    let message = format!("there is no link between {} and {}", at.the(), to.the());
    let names: Vec<&str> = across.iter().map(Node::name).collect();
    let help = format!("{} has links to {}", at.the(), alternatives(&names, "and"));
    let missing = Diagnostic::new(span.clone(), message).help(help);
    Some((span.clone(), missing))
}

/// The firewall of a case, on the router that it names, or on the only one there is.
pub(super) fn firewall(case: &Overlaid, cx: &mut Context) -> Result<Option<Firewall>, Reported> {
    let (Some(part), Some(network)) = (case.firewall?, case.network?) else {
        return Ok(None);
    };
    let topology = &network.value;
    let wrong = match &part.value.on {
        Some(on) => match machine(topology, on.value, Need::Router, &on.span) {
            None => return Ok(Some(part.value.at(on.value))),
            Some((_, wrong)) => wrong,
        },
        None => {
            let routers: Vec<Node> = topology.of_role(Role::Router).collect();
            match routers.as_slice() {
                [only] => return Ok(Some(part.value.at(*only))),
                [] => no_router(topology, &part.span).related(network.span.clone(), "the topology"),
                several => {
                    let names: Vec<&str> = several.iter().map(Node::name).collect();
                    let message = "this topology has several routers to put a firewall on";
                    let help = format!("add `on`: {}", alternatives(&names, "or"));
                    Diagnostic::new(part.span.clone(), message).help(help)
                }
            }
        }
    };
    Err(cx.report(in_case(case, &part.span, wrong)))
}

fn no_router(topology: &Topology, span: &Range<usize>) -> Diagnostic {
    let which = match topology.preset() {
        Some(preset) => format!("the `{preset}` topology"),
        None => "the topology".to_owned(),
    };
    let message = format!("{which} has no router to put a firewall on");
    let help = format!(
        "write `preset = \"{}\"`, or remove `firewall`",
        Preset::Routed
    );
    Diagnostic::new(span.clone(), message).help(help)
}
