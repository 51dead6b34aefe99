//! A process that panics with a lab and unacknowledged data leaves nothing behind.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, anyhow, ensure};
use deadpeer::endpoint::{EndWitness, Endpoint, socket};
use deadpeer::lab::Lab;
use deadpeer::model::{CLIENT_PORT, End, Hz, SERVER_PORT};
use deadpeer::prepare::{Prepared, prepare};
use deadpeer::{kernel, privilege, scenario};
use libtest_mimic::Trial;
use tokio::runtime::Handle;

use crate::cage::{self, Before, Check};
use crate::harness::source;
use crate::pace;

/// The first argument of the test binary that makes it panic. The second is a scenario file.
pub(crate) const MODE: &str = "panic-with-a-lab";

pub(crate) const CHECKS: &[(&str, Check)] =
    &[("panicked::nothing_is_left_of_a_lab", nothing_is_left)];

pub(crate) fn trials() -> Vec<Trial> {
    cage::trials(CHECKS, pace::alone)
}

fn nothing_is_left() -> anyhow::Result<()> {
    /// The exit status of a Rust program whose main thread has panicked.
    const PANICKED: Option<i32> = Some(101);
    let before = Before::count()?;
    let output = Command::new(std::env::current_exe()?)
        .arg(MODE)
        .arg(source("scenarios/crashed.toml"))
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == PANICKED && said.contains(REASON),
        "{}: {said}",
        output.status
    );
    before.is_restored()
}

const REASON: &str = "everything is up, and something is wrong";

/// Builds a lab, opens a connection, leaves data unacknowledged, and panics. Runs in the process
/// that the test starts.
pub(crate) fn inside(file: &str) -> ExitCode {
    let panicked = privilege::isolate()
        .map_err(anyhow::Error::from)
        .and_then(|_| {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(connect_and_panic(&first_case(Path::new(file))?))
        });
    eprintln!("{panicked:?}");
    ExitCode::FAILURE
}

fn first_case(file: &Path) -> anyhow::Result<Prepared> {
    let scenarios =
        scenario::load(&[file.to_owned()]).map_err(|wrong| anyhow!("{}", wrong.render(false)))?;
    let cases = prepare(scenarios, kernel::hz().unwrap_or(Hz::COARSEST));
    cases
        .ok()
        .and_then(|cases| cases.into_iter().next())
        .context("no case")
}

async fn connect_and_panic(prepared: &Prepared) -> anyhow::Result<()> {
    let connection = &prepared.case.connection;
    let lab = Lab::build(prepared.networks(), connection, &Handle::current()).await?;
    let [client, server] = [End::Client, End::Server].map(|end| lab.node(end.node()));
    let address = lab.plans[0].socket_address(End::Server, SERVER_PORT);
    let from = lab.plans[0].socket_address(End::Client, CLIENT_PORT);
    let listener = socket::listen(server, address, &connection.server).await?;
    let connected = socket::connect(client, from, address, &connection.client).await?;
    let (accepted, peer) = listener.accept().await?;
    let witness = EndWitness::default();
    let mut near = Endpoint::new(connected, peer.port(), &witness);
    let mut far = Endpoint::new(accepted, peer.port(), &witness);
    near.write(b"hello").await?;
    far.received_from(&near, 5).await?;
    let link = lab.uplink(End::Server);
    lab.node(End::Server.node()).silence(&link.name).await?;
    near.write(b"is anybody there?").await?;
    far.write(b"nobody hears this either").await?;
    panic!("{REASON}");
}
