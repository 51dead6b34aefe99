//! A fault: one part of the network or of a program that is not in its initial state.

use crate::model::{End, Filter, Loss, Node, RouteChange, Segments, Side, Which};

/// A deviation of the network or of a program from its initial state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The link is down at this side; the machine across has no carrier.
    Link(Side),
    /// The cable of this host is unplugged and plugged in repeatedly, by itself.
    Flapping(End),
    /// The host neither sends nor receives, with its carrier up.
    Silent(End),
    /// The host is down for its reboot.
    Down(End),
    /// The host has rebooted: it has no socket from before.
    Forgotten(End),
    /// The host has no address.
    NoAddress(End),
    /// The route of the node to the network of the end has changed.
    Route(Node, End, RouteChange),
    /// The node has a wrong entry for its neighbour on the path to the end.
    WrongNeighbour(Node, End),
    /// The router does not forward.
    NotForwarding(Node),
    /// The router has this packet filter.
    Filter(Node, Filter),
    /// The machine, which may be a host, loses segments as they arrive.
    Loss(Node, Loss),
    /// The link from the router towards the end has this MTU, in bytes.
    Narrow(Node, End, u16),
    /// The router sends no ICMP "fragmentation needed" and no "packet too big".
    Untold(Node),
    /// Packets that the host sends are delayed, lost, duplicated or reordered at random.
    Impaired(End),
    /// The program reads nothing.
    Unread(End),
    /// The program has shut down its sending direction (shutdown(2)).
    Shut(End),
    /// The program has closed its sockets.
    Closed(End),
    /// The kernel has destroyed the sockets of the program.
    Destroyed(End),
    /// The server accepts no connection.
    NotAccepting {
        /// Whether its accept queue is full.
        full: bool,
        /// Whether it accepts again after a time.
        passes: bool,
    },
    /// No connection has been opened yet.
    Unopened,
    /// A step has tried to open the connection over a network that no handshake can pass.
    Unconnected,
}

/// The segments that do not pass a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stops {
    /// No segments for certain: a retransmission or a later segment passes.
    Some,
    /// Segments with data.
    Data,
    /// Bare acknowledgements: keepalive probes, their answers, and the end of each exchange.
    Acknowledgements,
    /// All segments, including those of handshakes.
    All,
}

impl Stops {
    fn of(what: Segments) -> Self {
        match what {
            Segments::Rst => Self::Some,
            Segments::Data => Self::Data,
            Segments::Probes | Segments::Answers => Self::Acknowledgements,
            Segments::Any | Segments::Established => Self::All,
        }
    }
}

impl Fault {
    /// The segments that the fault stops on the path, in at least one direction. `None` for a fault
    /// that stops no segments on the path.
    #[must_use]
    pub(crate) fn stops(&self) -> Option<Stops> {
        match self {
            Self::Filter(_, filter) => Some(Stops::of(filter.what)),
            Self::Loss(_, loss) => Some(match loss.which {
                Which::All => Stops::of(loss.what),
                Which::Nth(_) | Which::Fraction { .. } => Stops::Some,
            }),
            Self::Route(_, _, RouteChange::Via(_)) => Some(Stops::Some),
            Self::Link(_)
            | Self::Silent(_)
            | Self::Route(..)
            | Self::NoAddress(_)
            | Self::WrongNeighbour(..)
            | Self::NotForwarding(_) => Some(Stops::All),
            Self::Flapping(_)
            | Self::Down(_)
            | Self::Forgotten(_)
            | Self::Narrow(..)
            | Self::Untold(_)
            | Self::Impaired(_)
            | Self::Unread(_)
            | Self::Shut(_)
            | Self::Closed(_)
            | Self::Destroyed(_)
            | Self::NotAccepting { .. }
            | Self::Unopened
            | Self::Unconnected => None,
        }
    }

    /// Whether the fault prevents every exchange from completing, if it is on the path.
    #[must_use]
    pub(crate) fn ends_exchanges(&self) -> bool {
        match self {
            Self::Flapping(_)
            | Self::Down(_)
            | Self::Narrow(..)
            | Self::Untold(_)
            | Self::Impaired(_) => false,
            Self::Link(_)
            | Self::Silent(_)
            | Self::Forgotten(_)
            | Self::NoAddress(_)
            | Self::Route(..)
            | Self::WrongNeighbour(..)
            | Self::NotForwarding(_)
            | Self::Filter(..)
            | Self::Loss(..)
            | Self::Unread(_)
            | Self::Shut(_)
            | Self::Closed(_)
            | Self::Destroyed(_)
            | Self::NotAccepting { .. }
            | Self::Unopened
            | Self::Unconnected => self.stops() != Some(Stops::Some),
        }
    }

    /// The machines where the fault is. Empty for a fault at an end, which affects every path.
    #[must_use]
    pub(crate) fn place(&self) -> Vec<Node> {
        match self {
            Self::Link(Side::Link(at, to)) => vec![*at, *to],
            Self::Route(on, ..)
            | Self::Filter(on, _)
            | Self::Loss(on, _)
            | Self::Narrow(on, ..)
            | Self::WrongNeighbour(on, _)
            | Self::NotForwarding(on)
            | Self::Untold(on) => vec![*on],
            Self::Link(Side::Cable(_))
            | Self::Flapping(_)
            | Self::Silent(_)
            | Self::Down(_)
            | Self::Forgotten(_)
            | Self::NoAddress(_)
            | Self::Impaired(_)
            | Self::Unread(_)
            | Self::Shut(_)
            | Self::Closed(_)
            | Self::Destroyed(_)
            | Self::NotAccepting { .. }
            | Self::Unopened
            | Self::Unconnected => Vec::new(),
        }
    }

    /// A label for the step that caused the fault, shown in the refusal of a later step.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Link(Side::Cable(at)) => format!("the {at}'s cable is pulled here"),
            Self::Link(Side::Link(at, to)) => {
                format!("the link to {} is pulled at {} here", to.the(), at.the())
            }
            Self::Flapping(at) => format!("the {at}'s cable begins to flap here"),
            Self::Silent(host) => format!("the {host} crashes here"),
            Self::Down(host) | Self::Forgotten(host) => format!("the {host} reboots here"),
            Self::NoAddress(at) => format!("the {at}'s address is removed here"),
            Self::Route(on, to, _) => format!("the route to the {to} on {} changes here", on.the()),
            Self::WrongNeighbour(on, to) => format!(
                "the neighbour entry of {} towards the {to} is wrong from here",
                on.the()
            ),
            Self::NotForwarding(on) => format!("{} stops forwarding here", on.the()),
            Self::Filter(on, _) => format!("{} filters from here", on.the()),
            Self::Loss(on, loss) => {
                format!("{} loses segments to the {} from here", on.the(), loss.to)
            }
            Self::Narrow(on, to, bytes) => format!(
                "the link of {} towards the {to} gets MTU {bytes} here",
                on.the()
            ),
            Self::Untold(on) => format!("{} sends no ICMP \"too big\" from here", on.the()),
            Self::Impaired(at) => format!("the {at}'s packets are impaired from here"),
            Self::Unread(at) => format!("the {at} stops reading here"),
            Self::Shut(at) => format!("the {at} shuts down its sending here"),
            Self::Closed(at) | Self::Destroyed(at) => {
                format!("the {at} loses its connections here")
            }
            Self::NotAccepting { .. } => "the server stops accepting here".to_owned(),
            Self::Unopened => "the connection is opened here".to_owned(),
            Self::Unconnected => "no connection can be opened here".to_owned(),
        }
    }
}
