//! The machines that a step names. Each must be in the topology and have the capability that the
//! step needs.

use super::Refusal;
use crate::model::{Node, Role, Topology};
use crate::suggest::{alternatives, nearest};

/// The capability that a step needs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A machine with routes: a host or a router.
    Routes,
    /// A router.
    Router,
    /// A router or a switch.
    Forwards,
    /// Any machine.
    Any,
    /// A machine with a link to this one.
    LinkTo(Node),
    /// A router on a network of this machine.
    NextRouterOf(Node),
}

/// A machine that a step names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    /// The key of the step that names it.
    pub(crate) key: &'static str,
    /// The machine.
    pub(crate) node: Node,
    /// The capability that it must have.
    pub(crate) need: Need,
}

impl Need {
    fn is_met_by(self, role: Role) -> bool {
        match self {
            Self::Routes => role != Role::Switch,
            Self::Router | Self::NextRouterOf(_) => role == Role::Router,
            Self::Forwards => role != Role::Host,
            Self::Any | Self::LinkTo(_) => true,
        }
    }
}

impl Named {
    /// A machine under its key.
    #[must_use]
    pub(crate) fn new(key: &'static str, node: Node, need: Need) -> Self {
        Self { key, node, need }
    }

    /// Checks the machine against the topology.
    ///
    /// # Errors
    /// [`Refusal`] if the topology has no such machine, or if the machine lacks the capability.
    pub(crate) fn check(self, topology: &Topology) -> Result<(), Refusal> {
        self.exists(topology)?;
        match self.need {
            Need::LinkTo(at) => self.has_link(topology, at),
            Need::NextRouterOf(on) => self.is_next(topology, on),
            Need::Routes | Need::Router | Need::Forwards | Need::Any => Ok(()),
        }
    }

    fn exists(self, topology: &Topology) -> Result<(), Refusal> {
        let Self { key, node, need } = self;
        let message = match topology.role(node) {
            Some(role) if need.is_met_by(role) => return Ok(()),
            Some(Role::Switch) if need == Need::Routes => {
                format!(
                    "{} has no routes: it forwards frames, not packets",
                    node.the()
                )
            }
            Some(role) if need == Need::Forwards => {
                format!("`{node}` is a {role}; this step needs a router or a switch")
            }
            Some(role) => format!("`{node}` is a {role}; this needs a router"),
            None => match topology.preset() {
                Some(preset) => format!("the `{preset}` topology has no {node}"),
                None => format!("the topology has no `{node}`"),
            },
        };
        Err(Refusal::new(message).at(key).help(self.others(topology)))
    }

    /// The help text: the machines that the step could name instead.
    fn others(self, topology: &Topology) -> String {
        let Self { node, need, .. } = self;
        let fitting = topology.machines().iter();
        let fitting = fitting.filter(|machine| need.is_met_by(machine.role));
        let names: Vec<&str> = fitting.map(|machine| machine.node.name()).collect();
        let is_known = topology.role(node).is_some();
        if let Some(meant) = nearest(node.name(), names.iter().copied()).filter(|_| !is_known) {
            return format!("did you mean `{meant}`?");
        }
        match (names.as_slice(), need) {
            ([], Need::Forwards) => {
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
            (names, Need::Router | Need::NextRouterOf(_)) => {
                format!("its routers are {}", alternatives(names, "and"))
            }
            (names, Need::Forwards | Need::Any | Need::LinkTo(_)) => {
                format!("it can be {}", alternatives(names, "or"))
            }
        }
    }

    fn is_next(self, topology: &Topology, on: Node) -> Result<(), Refusal> {
        let next = topology.next_routers(on);
        if next.contains(&self.node) {
            return Ok(());
        }
        let message = format!("{} is on no network of {}", self.node.the(), on.the());
        let names: Vec<&str> = next.iter().map(Node::name).collect();
        let help = match names.as_slice() {
            [] => format!("{} has no router to send to", on.the()),
            names => format!("{} can send to {}", on.the(), alternatives(names, "and")),
        };
        Err(Refusal::new(message).at(self.key).help(help))
    }

    fn has_link(self, topology: &Topology, at: Node) -> Result<(), Refusal> {
        let across: Vec<Node> = topology.neighbours(at).collect();
        if across.contains(&self.node) {
            return Ok(());
        }
        let message = format!(
            "there is no link between {} and {}",
            at.the(),
            self.node.the()
        );
        let names: Vec<&str> = across.iter().map(Node::name).collect();
        let help = format!("{} has links to {}", at.the(), alternatives(&names, "and"));
        Err(Refusal::new(message).at(self.key).help(help))
    }
}
