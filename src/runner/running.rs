//! A running case, or one variant of it.

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

/// The time limit of traffic that no fault hinders: longer than any delay of a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// A running case, or one of its variants. Each variant has its own connections.
pub(super) struct Running {
    pub(super) prepared: Arc<Prepared>,
    pub(super) shared: Arc<SharedLab>,
    pub(super) client: HostRecorder,
    pub(super) server: HostRecorder,
    /// When the connections were established; if a step opens them, when the lab was ready.
    pub(super) established: Moment,
    /// The zero of the case's times. The first fault sets it.
    pub(super) zero: Option<Moment>,
    /// The client's ports, in the order of its connections.
    pub(super) ports: Vec<u16>,
    /// The results of the exchanges that prove that a connection survived, by connection.
    pub(super) proofs: BTreeMap<u16, Result<(), String>>,
    /// The connections that could not be opened, each with the errno of connect(2) and its time.
    pub(super) refused: BTreeMap<u16, (ErrnoName, Moment)>,
    /// The connections that the server has not accepted by the end of the step that opened them.
    pub(super) unaccepted: BTreeSet<u16>,
    /// The results of the writes after the outcome, by end and connection.
    pub(super) writes_said: BTreeMap<(End, u16), NextWrite>,
    pub(super) step_log: StepLog,
    /// The counters before the first fault.
    pub(super) baseline: Arc<CounterBaseline>,
    /// The listening socket of the server. It stays open, as in a real server, until a step kills
    /// the process.
    pub(super) listener: Option<TcpListener>,
    /// The ends of connections that were closed as a step of the case.
    pub(super) closed: Vec<(End, u16)>,
    /// When the server accepts connections.
    pub(super) accepts: Accepts,
    /// The sockets of the connections that fill the server's accept queue, at both ends.
    pub(super) fillers: Vec<TcpStream>,
}

/// Why a step was not completed.
pub(super) enum Hindrance {
    /// The connection has ended. The case goes on, and its outcome is judged.
    Over(String),
    /// The step has failed for another reason. The case is cut short.
    Broken(String),
}

/// When the server accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    Always,
    From(Moment),
    Never,
}

impl Running {
    /// The hosts of both ends; the first one is `end`.
    pub(super) fn pair(&mut self, end: End) -> (&mut HostRecorder, &mut HostRecorder) {
        match end {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        }
    }

    /// The address family of the connections.
    pub(super) fn family(&self) -> Family {
        self.prepared.case.family
    }

    /// The network plan of that family.
    pub(super) fn plan(&self) -> &NetworkPlan {
        self.shared.lab.plan(self.family())
    }

    /// Wakes both recorders after a step, so that they sample their sockets.
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

pub(super) fn whole_seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
