//! The modelled network: the topology of a case, and the changes by its steps, as they affect the
//! packets of one family.
//!
//! A step acts on the World: it begins or ends faults, or it is refused. The World answers these
//! questions:
//!
//! * is the next step possible? ([`Refusal`])
//! * what happens to a packet from one end to the other now? ([`World::fate`])
//! * what is the current state of the links, addresses, routes and neighbour entries? (for the code
//!   that restores them on a kernel)
//!
//! Everything without a fault is in its initial state.

mod fate;
mod fault;
mod machine;
mod probes;
mod program;
mod refusal;

use std::time::Duration;

pub(crate) use fate::Packet;

pub(crate) use fate::Fate;
pub(crate) use fault::Fault;
pub(crate) use fault::Stops;
pub(crate) use machine::Named;
pub(crate) use machine::Need;
pub(crate) use probes::Prober;
pub(crate) use refusal::Refusal;

use crate::model::{End, Family, Node, Role, RouteChange, Side, Topology};

/// The cause of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A step, by its position in the case.
    Step(usize),
    /// The firewall of the topology.
    Firewall,
}

/// A fault that is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// The fault.
    pub(crate) fault: Fault,
    /// What caused it.
    pub(crate) cause: Cause,
    left: Left,
}

/// How long a fault still lasts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Until a step ends it.
    Forever,
    /// This long.
    Time(Duration),
    /// A step has waited for an unknown time since.
    Unknown,
}

/// What an act has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The fault has begun.
    Began(Fault),
    /// The fault has ended.
    Ended(Fault),
    /// The host has rebooted.
    Rebooted {
        /// The host.
        host: End,
        /// How long it is down.
        downtime: Duration,
        /// Whether it has a new hardware address after the reboot.
        new_mac: bool,
    },
    /// The node has removed its neighbour entry on the path to the end.
    NeighbourRemoved(Node, End),
    /// Connection tracking of the router has lost all flows.
    FlowsFlushed(Node),
    /// Connection tracking of the router has a new timeout for established flows.
    FlowTimeout(Node),
}

/// The network and the connection of a case before its first step. A field that is invalid in the
/// file is unknown, and no step is refused because of it.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The family of the packets.
    pub(crate) family: Family,
    /// The network carries both families.
    pub(crate) is_dual: bool,
    /// The machines and links; `None`: unknown.
    pub(crate) topology: Option<Topology>,
    /// The router with the firewall.
    pub(crate) firewall: Firewalled,
    /// Whether the client and the server have keepalive; `None`: unknown.
    pub(crate) keepalive: [Option<bool>; 2],
    /// The end whose probes steps wait for.
    pub(crate) prober: Option<Prober>,
}

/// Where the firewall is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Firewalled {
    /// There is none.
    No,
    /// On this router.
    At(Node),
    /// Unknown.
    Unknown,
}

/// The network and the programs at one time of a case.
#[derive(Debug, Clone)]
pub(crate) struct World {
    setting: Setting,
    /// The machines from the client to the server, if there is only one path.
    path: Option<Vec<Node>>,
    /// Whether a step opens the connections.
    opens: bool,
    facts: Vec<Fact>,
    changes: Vec<Change>,
    /// The cause of changes that begin now.
    cause: Cause,
    prober: Option<Prober>,
}

impl World {
    /// The World in its initial state. `opens`: the position of the step that opens the
    /// connections; `None` if they are open before the first step.
    #[must_use]
    pub(crate) fn new(setting: Setting, opens: Option<usize>) -> Self {
        let path = setting.topology.as_ref().and_then(Topology::unique_path);
        let prober = setting.prober.clone();
        let unopened = opens.map(|position| Fact {
            fault: Fault::Unopened,
            cause: Cause::Step(position),
            left: Left::Forever,
        });
        Self {
            setting,
            path,
            opens: opens.is_some(),
            facts: unopened.into_iter().collect(),
            changes: Vec::new(),
            cause: Cause::Step(0),
            prober,
        }
    }

    /// Advances to the step at this position, after this time; `None`: after an unknown time.
    pub(crate) fn advance(&mut self, position: usize, time: Option<Duration>) {
        self.cause = Cause::Step(position);
        for fact in &mut self.facts {
            fact.left = match (fact.left, time) {
                (Left::Time(left), Some(time)) => Left::Time(left.saturating_sub(time)),
                (Left::Time(_), None) => Left::Unknown,
                (left @ (Left::Forever | Left::Unknown), _) => left,
            };
        }
    }

    /// Removes and returns the changes since the last call, in order.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The network and the connection before the first step.
    #[must_use]
    pub(crate) fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The family of the packets.
    #[must_use]
    pub(crate) fn family(&self) -> Family {
        self.setting.family
    }

    /// Whether any step of the case opens the connections, at whatever position.
    #[must_use]
    pub(crate) fn opens_by_step(&self) -> bool {
        self.opens
    }

    /// The first fact of this kind.
    #[must_use]
    pub(crate) fn find(&self, matches: impl Fn(&Fault) -> bool) -> Option<&Fact> {
        self.facts.iter().find(|fact| matches(&fact.fault))
    }

    /// Whether the fault is present.
    #[must_use]
    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.find(|other| other == fault).is_some()
    }

    /// All faults that are present, in the order in which they began.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.facts.iter().map(|fact| &fact.fault)
    }

    /// Begins a fault, unless it is present.
    pub(crate) fn begin(&mut self, fault: Fault) {
        self.add(fault, Left::Forever);
    }

    /// Begins a fault that ends by itself after this time. It replaces the same fault if that is
    /// present.
    pub(crate) fn begin_for(&mut self, fault: Fault, time: Duration) {
        self.facts.retain(|fact| fact.fault != fault);
        self.add(fault, Left::Time(time));
    }

    fn add(&mut self, fault: Fault, left: Left) {
        if self.has(&fault) {
            return;
        }
        self.changes.push(Change::Began(fault.clone()));
        let cause = self.cause;
        self.facts.push(Fact { fault, cause, left });
    }

    /// Ends the matching faults. Returns whether there was one.
    pub(crate) fn end(&mut self, matches: impl Fn(&Fault) -> bool) -> bool {
        let (ended, kept): (Vec<Fact>, _) = std::mem::take(&mut self.facts)
            .into_iter()
            .partition(|fact| matches(&fact.fault));
        self.facts = kept;
        let any = !ended.is_empty();
        self.changes
            .extend(ended.into_iter().map(|fact| Change::Ended(fact.fault)));
        if any && let Some(prober) = &mut self.prober {
            prober.renew();
        }
        any
    }

    /// Notes a change that leaves no fault.
    pub(crate) fn note(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Begins a fault that must not be present.
    ///
    /// # Errors
    /// [`Refusal`] with this message if it is present; `between` completes the help text "remove
    /// one of the two, or ...".
    pub(crate) fn begin_once(
        &mut self,
        fault: Fault,
        message: impl FnOnce() -> String,
        between: &str,
    ) -> Result<(), Refusal> {
        if let Some(earlier) = self.find(|other| *other == fault) {
            let twice = Refusal::new(message()).because(earlier);
            return Err(twice.help(format!("remove one of the two, or {between}")));
        }
        self.begin(fault);
        Ok(())
    }

    /// Ends a fault that must be present.
    ///
    /// # Errors
    /// [`Refusal`] with this message if it is not present; `missing` is the step that would have
    /// begun it.
    pub(crate) fn end_once(
        &mut self,
        fault: &Fault,
        message: impl FnOnce() -> String,
        missing: impl FnOnce() -> String,
    ) -> Result<(), Refusal> {
        if self.end(|other| other == fault) {
            return Ok(());
        }
        let early = Refusal::new(message());
        Err(early.help(format!("add an earlier step: {}", missing())))
    }

    /// A matching fault that ends by itself, after a known time that is not over.
    #[must_use]
    pub(crate) fn lasting(&self, matches: impl Fn(&Fault) -> bool) -> Option<&Fact> {
        let lasts = |fact: &&Fact| matches!(fact.left, Left::Time(left) if !left.is_zero());
        self.facts
            .iter()
            .filter(lasts)
            .find(|fact| matches(&fact.fault))
    }

    /// A matching fault that ends by itself and may still last, for a known or an unknown time.
    #[must_use]
    pub(crate) fn may_last(&self, matches: impl Fn(&Fault) -> bool) -> Option<&Fact> {
        let lasts = |fact: &&Fact| match fact.left {
            Left::Time(left) => !left.is_zero(),
            Left::Unknown => true,
            Left::Forever => false,
        };
        self.facts
            .iter()
            .filter(lasts)
            .find(|fact| matches(&fact.fault))
    }

    /// Whether a fault is present that begins and ends by itself, or that affects random packets.
    #[must_use]
    pub(crate) fn is_erratic(&self) -> bool {
        self.find(|fault| matches!(fault, Fault::Impaired(_) | Fault::Flapping(_)))
            .is_some()
    }

    /// Whether every packet between the ends passes the place of the fault. `false` for a fault
    /// between the ends if there are several paths, because the kernel selects one.
    #[must_use]
    pub(crate) fn is_on_path(&self, fault: &Fault) -> bool {
        if self.setting.topology.is_none() {
            return true;
        }
        let place = fault.place();
        let path = self.path.as_ref();
        place.is_empty() || path.is_some_and(|path| place.iter().all(|node| path.contains(node)))
    }

    /// The faults that prevent an exchange from completing, in the order in which they began.
    #[must_use]
    pub(crate) fn obstacles(&self) -> Vec<&Fact> {
        let facts = self.facts.iter();
        let stuck =
            facts.filter(|fact| fact.fault.ends_exchanges() && self.is_on_path(&fact.fault));
        stuck.collect()
    }

    /// A fault on the path that stops segments of one of these kinds in at least one direction.
    #[must_use]
    pub(crate) fn stopped(&self, kinds: &[Stops]) -> Option<&Fact> {
        self.facts.iter().find(|fact| {
            let stops = fact.fault.stops();
            stops.is_some_and(|stops| kinds.contains(&stops)) && self.is_on_path(&fact.fault)
        })
    }

    /// Whether a router may be between the ends; `true` if there are several paths.
    #[must_use]
    pub(crate) fn is_routed(&self) -> bool {
        let is_router = |node: &Node| {
            let topology = self.setting.topology.as_ref();
            topology.is_some_and(|topology| topology.role(*node) == Some(Role::Router))
        };
        self.path
            .as_ref()
            .is_none_or(|path| path.iter().any(is_router))
    }

    /// The two machines of a link, in the order of their names.
    #[must_use]
    pub(crate) fn joined(&self, side: Side) -> Option<[Node; 2]> {
        let mut joined = match side {
            Side::Cable(at) => {
                let topology = self.setting.topology.as_ref()?;
                [at.node(), topology.neighbours(at.node()).next()?]
            }
            Side::Link(at, to) => [at, to],
        };
        joined.sort();
        Some(joined)
    }

    /// Whether both are sides of one link.
    #[must_use]
    pub(crate) fn is_same_link(&self, a: Side, b: Side) -> bool {
        let joined = self.joined(a);
        a == b || (joined.is_some() && joined == self.joined(b))
    }

    /// The fault by which a link is down at either side, with that side.
    #[must_use]
    pub(crate) fn pulled(&self, side: Side) -> Option<(Side, &Fact)> {
        self.facts.iter().find_map(|fact| match fact.fault {
            Fault::Link(pulled) if self.is_same_link(pulled, side) => Some((pulled, fact)),
            _ => None,
        })
    }

    /// Whether a machine's own interface on its link to another one is down.
    #[must_use]
    pub(crate) fn is_down(&self, node: Node, across: Node) -> bool {
        self.faults().any(|fault| match fault {
            Fault::Link(side) => self.interface(*side) == Some([node, across]),
            _ => false,
        })
    }

    /// The machine whose interface is set down when a side of a link is pulled, and the machine
    /// across. A veth pair has no cable: if an end is connected to a switch, the port of the switch
    /// is set down instead of the interface of the end.
    #[must_use]
    pub(crate) fn interface(&self, side: Side) -> Option<[Node; 2]> {
        match side {
            Side::Cable(at) => {
                let topology = self.setting.topology.as_ref()?;
                let across = topology.neighbours(at.node()).next()?;
                Some(match topology.role(across)? {
                    Role::Switch => [across, at.node()],
                    Role::Host | Role::Router => [at.node(), across],
                })
            }
            Side::Link(at, to) => Some([at, to]),
        }
    }

    /// Whether a machine has its address.
    #[must_use]
    pub(crate) fn has_address(&self, node: Node) -> bool {
        let gone = |fault: &Fault| matches!(fault, Fault::NoAddress(end) if end.node() == node);
        self.find(gone).is_none()
    }

    /// The change of a node's route to the network of an end; [`RouteChange::Restore`] if the route
    /// is in its initial state.
    #[must_use]
    pub(crate) fn route(&self, on: Node, to: End) -> RouteChange {
        let route = self.faults().find_map(|fault| match fault {
            Fault::Route(node, end, change) if (*node, *end) == (on, to) => Some(*change),
            _ => None,
        });
        route.unwrap_or(RouteChange::Restore)
    }
}
