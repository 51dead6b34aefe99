//! Links that are whole before they are pulled, and plugged in where they were pulled.

use std::ops::Range;

use super::{Broken, Network};
use crate::model::{End, Node};
use crate::scenario::diagnostic::Diagnostic;
use crate::step::CableChange;

impl Network {
    /// What is wrong with the step; otherwise the network is what the step makes of it.
    pub(super) fn link(
        &mut self,
        side: Side,
        change: CableChange,
        verb: &Range<usize>,
    ) -> Option<Diagnostic> {
        self.still_flapping(side, verb).or_else(|| match change {
            CableChange::Pull => self.pull(side, verb),
            CableChange::Plug => self.plug(side, verb),
        })
    }

    fn pull(&mut self, side: Side, verb: &Range<usize>) -> Option<Diagnostic> {
        if let Some(wrong) = self.out(side, verb) {
            return Some(wrong);
        }
        self.breaks(Broken::Link(side), verb);
        None
    }

    /// What is wrong with pulling a link that is pulled.
    pub(super) fn out(&self, side: Side, verb: &Range<usize>) -> Option<Diagnostic> {
        let (pulled, earlier) = self.pulled(side)?;
        let message = format!("{} is pulled already", side.named());
        let help = if pulled == side {
            "remove one of the two, or plug it in between"
        } else if self.is_one_cable() {
            "remove one of the two: a `direct` topology has one cable, with the client at one end and the server at the other"
        } else {
            "remove one of the two: both steps are about one link"
        };
        let twice = Diagnostic::new(verb.clone(), message).related(earlier, pulled.label());
        Some(twice.help(help))
    }

    fn plug(&mut self, side: Side, verb: &Range<usize>) -> Option<Diagnostic> {
        if self.heal(|broken| broken == Broken::Link(side)) {
            return None;
        }
        let message = format!("{} is not pulled when it is plugged in", side.named());
        let early = Diagnostic::new(verb.clone(), message);
        Some(match self.pulled(side) {
            Some((pulled, earlier)) => early.related(earlier, pulled.label()).help(format!(
                "plug it in where it was pulled: {}",
                pulled.written()
            )),
            None => early.help(format!(
                "pull it in an earlier step: `do = \"cable\"`, {}, `action = \"pull\"`",
                side.written()
            )),
        })
    }

    fn is_one_cable(&self) -> bool {
        let topology = self.topology.as_ref();
        topology.is_some_and(|topology| topology.is_one_cable())
    }

    /// The step that has pulled this link, at either side.
    fn pulled(&self, side: Side) -> Option<(Side, Range<usize>)> {
        self.broken.iter().find_map(|(broken, span)| match broken {
            Broken::Link(pulled) if self.is_same(*pulled, side) => Some((*pulled, span.clone())),
            _ => None,
        })
    }

    pub(super) fn is_same(&self, a: Side, b: Side) -> bool {
        let joined = self.between(a);
        a == b || (joined.is_some() && joined == self.between(b))
    }

    /// The two machines that a link joins, in the order of their names.
    pub(super) fn between(&self, side: Side) -> Option<[Node; 2]> {
        let mut between = match side {
            Side::Cable(at) => {
                let topology = self.topology.as_ref()?;
                [at.node(), topology.neighbours(at.node()).next()?]
            }
            Side::Link(at, to) => [at, to],
        };
        between.sort();
        Some(between)
    }
}

/// One side of a link, as a file names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// An end's cable.
    Cable(End),
    /// A machine's interface on its link to another one.
    Link(Node, Node),
}

impl Side {
    pub(super) fn named(self) -> String {
        match self {
            Self::Cable(at) => format!("the {at}'s cable"),
            Self::Link(at, to) => format!("the link between {} and {}", at.the(), to.the()),
        }
    }

    /// As a file has it.
    fn written(self) -> String {
        match self {
            Self::Cable(at) => format!("`at = \"{at}\"`"),
            Self::Link(at, to) => format!("`at = \"{at}\"`, `to = \"{to}\"`"),
        }
    }

    /// What the step is to a later one that suffers from it.
    pub(super) fn label(self) -> String {
        match self {
            Self::Cable(at) => format!("the {at}'s cable is pulled here"),
            Self::Link(at, to) => {
                format!("the link to {} is pulled at {} here", to.the(), at.the())
            }
        }
    }
}
