//! Builds the lab of a case and establishes its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{try_join, try_join3};
use tokio::net::{TcpListener, TcpStream};

use super::barrier::Barrier;
use super::context::CaseContext;
use super::faulted::FaultedLab;
use super::host_recorder::HostRecorder;
use super::permit::RunSlot;
use super::running::Accepts;
use super::running::Running;
use super::shared::{Before, SharedLab, SharedOutcome};
use super::step_log::StepLog;
use crate::endpoint::{Endpoint, socket};
use crate::lab::Lab;
use crate::lab::error::LabError;
use crate::model::{CLIENT_PORT, Connection, End, Family, Moment, SERVER_PORT};
use crate::prepare::Prepared;

/// The number of socket samples of an idle connection in the course of a case.
const LOOKS: u32 = 64;
/// The minimum interval between two of those samples.
const FASTEST: Duration = Duration::from_secs(1);

impl Running {
    /// Builds the lab and opens the connections of each variant.
    pub(super) async fn establish(
        variants: &[Arc<Prepared>],
        (mut context, run_slot): (CaseContext, Option<RunSlot>),
        barrier: Arc<Barrier<SharedOutcome>>,
    ) -> Result<Vec<Self>, LabError> {
        let before = Before::now(&context, variants).await;
        // Variants differ in the family of their connections only.
        let first = &variants[0];
        let (plans, connection) = (first.networks(), &first.case.connection);
        let lab = Lab::build(plans, connection, &context.netlink).await?;
        if let Some(slot) = &mut context.slot {
            slot.hold(&lab);
        }
        let records: Vec<StepLog> = variants.iter().map(|_| StepLog::default()).collect();
        let worlds = first.worlds();
        let shared = Arc::new(SharedLab::new(
            FaultedLab::new(lab, worlds),
            (context, run_slot),
            before,
            barrier,
            records.clone(),
        ));
        let mut running = Vec::new();
        for (variant, record) in variants.iter().zip(records) {
            let variant = (Arc::clone(variant), record);
            running.push(Self::begin(variant, Arc::clone(&shared)).await?);
        }
        Ok(running)
    }

    /// Starts the recorders of one variant, and opens its connections unless a step opens them.
    async fn begin(
        (prepared, step_log): (Arc<Prepared>, StepLog),
        shared: Arc<SharedLab>,
    ) -> Result<Self, LabError> {
        let (lab, family) = (&shared.lab, prepared.case.family);
        let connection = &prepared.case.connection;
        let rate = (prepared.duration() / LOOKS).max(FASTEST);
        let (mut client, mut server, listener) = try_join3(
            HostRecorder::new(&shared, (End::Client, family), rate),
            HostRecorder::new(&shared, (End::Server, family), rate),
            listen(lab, family, connection),
        )
        .await?;
        server.add_socket(&listener)?;
        for (end, side) in [(End::Client, &mut client), (End::Server, &mut server)] {
            if (prepared.case.expect.end(end)).is_some_and(|expect| expect.descriptors_return) {
                side.descriptors_before = side.count_descriptors()?;
            }
        }
        let ports: Vec<u16> = (CLIENT_PORT..).take(connection.count.into()).collect();
        let mut steps = prepared.case.steps.iter();
        if !steps.any(|step| step.action.opens()) {
            let witness = &shared.context.witness;
            for &port in &ports {
                let (connected, accepted) =
                    connect((lab, family), connection, port, &listener).await?;
                client.add_socket(&connected)?;
                server.add_socket(&accepted)?;
                client
                    .endpoints
                    .push(Endpoint::new(connected, port, witness));
                server
                    .endpoints
                    .push(Endpoint::new(accepted, port, witness));
            }
        }
        Ok(Self {
            prepared,
            shared,
            client,
            server,
            established: Moment::now(),
            zero: None,
            ports,
            proofs: BTreeMap::new(),
            refused: BTreeMap::new(),
            unaccepted: BTreeSet::new(),
            writes_said: BTreeMap::new(),
            step_log,
            baseline: Arc::default(),
            listener: Some(listener),
            closed: Vec::new(),
            accepts: Accepts::Always,
            fillers: Vec::new(),
        })
    }
}

async fn listen(
    lab: &Lab,
    family: Family,
    connection: &Connection,
) -> Result<TcpListener, LabError> {
    let node = lab.node(End::Server.node());
    let address = lab.plan(family).socket_address(End::Server, SERVER_PORT);
    socket::listen(node, address, &connection.server).await
}

/// Opens one connection from this port of the client. Returns the client's socket and the server's
/// socket.
async fn connect(
    (lab, family): (&Lab, Family),
    connection: &Connection,
    port: u16,
    listener: &TcpListener,
) -> Result<(TcpStream, TcpStream), LabError> {
    let node = lab.node(End::Client.node());
    let plan = lab.plan(family);
    let from = plan.socket_address(End::Client, port);
    let to = plan.socket_address(End::Server, SERVER_PORT);
    let accept = async {
        let accepted = listener.accept().await;
        accepted.map_err(|source| LabError::at_socket(End::Server, "accept a connection", source))
    };
    let connect = socket::connect(node, from, to, &connection.client);
    let (connected, (accepted, _)) = try_join(connect, accept).await?;
    Ok((connected, accepted))
}
