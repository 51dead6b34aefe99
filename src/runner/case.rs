//! A case from an empty machine to its observation. In a network that carries both families it has two strands, which run side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::burial::Tenancy;
use super::marks::Marks;
use super::meeting::{Meeting, Seat};
use super::room::Turn;
use super::shared::{SharedLab, Taken};
use super::side::Side;
use super::step::Accepts;
use super::step_log::StepsTaken;
use crate::lab::drops::DropMonitor;
use crate::lab::error::LabError;
use crate::lab::tables::NeighbourTables;
use crate::model::{End, ErrnoName, Family, Moment, NextWrite};
use crate::outcome::{BrokenStep, Cut, Observation};
use crate::plan::NetworkPlan;
use crate::prepare::Prepared;
use crate::stall::StallWatch;

/// How long traffic may take that nothing hinders: beyond any delay of a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// What there is of the machine besides the lab.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// Where requests to rtnetlink are made.
    pub(super) netlink: Handle,
    pub(super) stalls: StallWatch,
    /// Where it shares the machine with other cases.
    pub(super) tenancy: Option<Tenancy>,
    /// Only where other cases share them.
    pub(super) tables: Option<Arc<NeighbourTables>>,
    /// Only on a kernel that has nothing but this case.
    pub(super) drops: Option<Arc<DropMonitor>>,
}

impl Surroundings {
    /// How often the neighbour table has refused an entry since the machine started.
    pub(super) async fn neighbours_refused(&self, family: Family) -> u64 {
        let Some(tables) = &self.tables else {
            return 0;
        };
        tables.fill(family).await.map_or(0, |fill| fill.refused)
    }
}

/// A case that is under way, or one of its strands, each with connections of its own.
pub(super) struct Running {
    pub(super) prepared: Arc<Prepared>,
    pub(super) shared: Arc<SharedLab>,
    pub(super) client: Side,
    pub(super) server: Side,
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
    pub(super) steps_taken: StepsTaken,
    /// The counters before the first fault.
    pub(super) marks: Arc<Marks>,
    /// Kept open, as a server does.
    pub(super) listener: Option<TcpListener>,
    /// The ends of connections that were closed as a step of the case.
    pub(super) closed: Vec<(End, u16)>,
    /// When the server takes what has connected.
    pub(super) accepts: Accepts,
    /// Those who fill the server's accept queue, at both their ends.
    pub(super) fillers: Vec<TcpStream>,
}

/// What came of a strand, and how long after the lab was begun.
pub(super) type Seen = (Result<Observation, Arc<LabError>>, Duration);

/// Runs the strands of a case in one lab, and looks at what there is to see of each that takes longer than `limit`. Dropping the future at
/// any moment takes everything down.
pub(super) async fn run(
    strands: &[Arc<Prepared>],
    limit: Option<Duration>,
    (surroundings, turn): (Surroundings, Option<Turn>),
) -> Vec<Seen> {
    let begun = Moment::now();
    let (meeting, seats) = Meeting::of(strands.len());
    match Running::establish(strands, (surroundings, turn), meeting).await {
        Ok(mut running) => {
            let seated = running.iter_mut().zip(seats);
            let seen = join_all(seated.map(async |(running, seat)| {
                let seen = running.complete(seat, begun, limit).await;
                (seen, Moment::now().since(begun))
            }))
            .await;
            // What goes with one strand's sockets, a RST and what the kernel counts, would be seen in the other's namespaces.
            join_all(running.iter().map(Running::destroy_orphans)).await;
            seen
        }
        Err(error) => {
            let (error, took) = (Arc::new(error), Moment::now().since(begun));
            let of_each = strands.iter().map(|_| (Err(Arc::clone(&error)), took));
            of_each.collect()
        }
    }
}

impl Running {
    /// Leaves its seat when it takes no more steps, so that others do not wait for it.
    async fn complete(
        &mut self,
        seat: Seat<Taken>,
        begun: Moment,
        limit: Option<Duration>,
    ) -> Result<Observation, Arc<LabError>> {
        let setup = self.established.since(begun);
        let left = limit.map_or(Duration::MAX, |limit| (begun + limit).remaining());
        let shared = Arc::clone(&self.shared);
        let played = async {
            tokio::select! {
                played = self.play(seat) => played,
                error = shared.loss() => Err(error),
            }
        };
        let cut_short = match (tokio::time::timeout(left, played).await, limit) {
            (Ok(played), _) => played?.map(Cut::Step),
            (Err(_), limit) => Some(Cut::Timeout(limit.unwrap_or(left))),
        };
        Ok(self.look(setup, cut_short).await?)
    }

    /// Takes the steps and waits for every end's outcome; the step that broke it off, if one did.
    async fn play(&mut self, seat: Seat<Taken>) -> Result<Option<BrokenStep>, Arc<LabError>> {
        let broken = self.take_steps().await?;
        drop(seat);
        if broken.is_some() {
            return Ok(broken);
        }
        let zero = self.settle_zero().await?;
        self.shared.end_turn();
        self.watch(zero).await?;
        self.write_once_more();
        self.prove_survivors().await;
        Ok(None)
    }

    /// Both ends, the first being `end`.
    pub(super) fn pair(&mut self, end: End) -> (&mut Side, &mut Side) {
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

    pub(super) fn side(&self, end: End) -> &Side {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    /// The zero of the case's times: the first fault, or the end of the last step where there was none.
    async fn settle_zero(&mut self) -> Result<Moment, LabError> {
        if let Some(zero) = self.zero {
            return Ok(zero);
        }
        self.marks = Arc::new(Marks::read(&self.shared.lab).await?);
        let zero = Moment::now();
        self.zero = Some(zero);
        Ok(zero)
    }
}

/// A lab error about an ordinary socket call.
pub(super) fn io_at(end: End, doing: &str, source: std::io::Error) -> LabError {
    LabError::Socket {
        doing: doing.to_owned(),
        node: end.to_string(),
        source,
    }
}
