//! A variant of a case that is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::baseline::CounterBaseline;
use super::host_recorder::HostRecorder;
use super::shared::SharedLab;
use super::step_log::StepLog;
use crate::model::{End, ErrnoName, Family, Moment, NextWrite};
use crate::plan::NetworkPlan;
use crate::prepare::Prepared;

/// How long traffic may take that nothing hinders: beyond any delay of a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// A case that is under way, or one of its variants, each with connections of its own.
pub(super) struct Running {
    pub(super) prepared: Arc<Prepared>,
    pub(super) shared: Arc<SharedLab>,
    pub(super) client: HostRecorder,
    pub(super) server: HostRecorder,
    /// When the connections had been established.
    pub(super) established: Moment,
    /// Set by the first fault.
    pub(super) zero: Option<Moment>,
    /// The client's ports, in the order of its connections.
    pub(super) ports: Vec<u16>,
    /// The exchanges that prove survivors alive, by connection.
    pub(super) proofs: BTreeMap<u16, Result<(), String>>,
    /// The connections that could not be opened.
    pub(super) refused: BTreeMap<u16, (ErrnoName, Moment)>,
    /// The connections that the server has not accepted by the end of the step that opened them.
    pub(super) unaccepted: BTreeSet<u16>,
    /// What a write said after the outcome, by end and connection.
    pub(super) writes_said: BTreeMap<(End, u16), NextWrite>,
    pub(super) step_log: StepLog,
    /// The counters before the first fault.
    pub(super) baseline: Arc<CounterBaseline>,
    /// Kept open, as a server does.
    pub(super) listener: Option<TcpListener>,
    /// The ends of connections that were closed as a step of the case.
    pub(super) closed: Vec<(End, u16)>,
    /// When the server takes what has connected.
    pub(super) accepts: Accepts,
    /// Those who fill the server's accept queue, at both their ends.
    pub(super) fillers: Vec<TcpStream>,
}

/// Why a step did not come to its end.
pub(super) enum Hindrance {
    /// Its connection had ended: the outcome is judged.
    Over(String),
    /// What it needs did not come: the case is cut short.
    Broken(String),
}

/// When the server takes what has connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    Always,
    From(Moment),
    Never,
}

impl Running {
    /// Both ends, the first being `end`.
    pub(super) fn pair(&mut self, end: End) -> (&mut HostRecorder, &mut HostRecorder) {
        match end {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        }
    }

    /// What its connection runs over.
    pub(super) fn family(&self) -> Family {
        self.prepared.case.family
    }

    /// The network as its connection sees it.
    pub(super) fn plan(&self) -> &NetworkPlan {
        self.shared.lab.plan(self.family())
    }

    /// Tells whoever records that something was done.
    pub(super) fn nudge(&self) {
        self.client.nudge();
        self.server.nudge();
    }

    pub(super) fn side(&self, end: End) -> &HostRecorder {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }
}

pub(super) fn whole(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
