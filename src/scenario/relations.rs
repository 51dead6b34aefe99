//! What follows from the model's types: which end is across, which step is a fault.

use super::model::{
    Action, CableChange, CaseId, Connection, End, EndSettings, Expectation, Expectations, Node,
    ProbeExpectation, RouteChange,
};
use crate::evidence::StepKind;

impl End {
    /// The end across.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The node that this end runs on.
    #[must_use]
    pub fn node(self) -> Node {
        match self {
            Self::Client => Node::CLIENT,
            Self::Server => Node::SERVER,
        }
    }
}

impl Connection {
    /// The end whose probes a step waits for: the client if it has keepalive, otherwise the server if that has it.
    #[must_use]
    pub fn observed_end(&self) -> Option<End> {
        let ends = [End::Client, End::Server];
        ends.into_iter()
            .find(|end| self.end(*end).keepalive.is_some())
    }

    /// The settings of one end.
    #[must_use]
    pub fn end(&self, end: End) -> &EndSettings {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }
}

impl Expectations {
    /// What one end must see, if anything is asked of it.
    #[must_use]
    pub fn end(&self, end: End) -> Option<&Expectation> {
        match end {
            End::Client => self.client.as_ref(),
            End::Server => self.server.as_ref(),
        }
    }
}

impl ProbeExpectation {
    /// Whether it comes true where no probe goes out.
    #[must_use]
    pub fn is_met_by_none(&self) -> bool {
        let counts = [self.sent, self.answered].into_iter().flatten();
        self.at.is_empty()
            && self.spacing.is_none()
            && counts.into_iter().all(|count| count.contains(0))
    }
}

impl CaseId {
    /// Without the family: what the strands of a case have in common.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(stem, _)| stem)
    }
}

impl Action {
    /// Whether the step makes something whole again. (A host that reboots returns in its own time.)
    #[must_use]
    pub fn is_repair(&self) -> bool {
        match self {
            Self::Resume { .. } => true,
            Self::Cable { change, .. } | Self::Link { change, .. } => *change == CableChange::Plug,
            Self::Route { change, .. } => *change == RouteChange::Restore,
            Self::Network(step) => step.is_repair(),
            Self::Middlebox(step) => step.is_repair(),
            Self::Program(step) => step.act.is_repair(),
            _ => false,
        }
    }

    /// Whether the step takes something away from the connection, which makes it the zero of the case's times.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Connect
            | Self::Exchange { .. }
            | Self::Send { .. }
            | Self::Fill { .. }
            | Self::Resume { .. } => false,
            Self::Cable { change, .. } | Self::Link { change, .. } => *change == CableChange::Pull,
            Self::Route { change, .. } => *change != RouteChange::Restore,
            Self::Crash { .. } | Self::Reboot { .. } | Self::Listener(_) => true,
            Self::Network(step) => !step.is_repair(),
            Self::Middlebox(step) => !step.is_repair(),
            Self::Program(step) => !step.act.is_repair(),
        }
    }

    /// Whether the step is about the network or its machines, and not about a program and its own connection.
    #[must_use]
    pub fn is_of_lab(&self) -> bool {
        match self {
            Self::Connect
            | Self::Exchange { .. }
            | Self::Send { .. }
            | Self::Fill { .. }
            | Self::Listener(_)
            | Self::Program(_) => false,
            Self::Cable { .. }
            | Self::Link { .. }
            | Self::Crash { .. }
            | Self::Resume { .. }
            | Self::Reboot { .. }
            | Self::Route { .. }
            | Self::Network(_)
            | Self::Middlebox(_) => true,
        }
    }

    /// What the step is for.
    #[must_use]
    pub fn kind(&self) -> StepKind {
        if self.is_fault() {
            StepKind::Fault
        } else if self.is_repair() {
            StepKind::Repair
        } else {
            StepKind::Traffic
        }
    }
}
