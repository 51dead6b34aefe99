//! `kill -9` leaves nothing to anyone to clean up but the kernel, and the kernel cleans up
//! everything.
//!
//! What could stay is what outlives its process: a namespace that a socket keeps alive (an orphan
//! in FIN-WAIT with data that nobody acknowledges), one that has a name or is mounted, a link in
//! the host's namespace.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::cage::{self, Before, Check};
use crate::harness::{LIMIT, Running, command, source};
use crate::pace;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    (
        "killed::nothing_is_left_while_labs_are_set_up",
        during_setup,
    ),
    (
        "killed::nothing_is_left_while_faults_are_under_way",
        during_faults,
    ),
    (
        "killed::nothing_is_left_of_unacknowledged_data",
        with_data_in_flight,
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    cage::trials(CHECKS, pace::alone)
}

/// Thirty moments from the start of the process until long after the last connection is
/// established.
fn during_setup() -> anyhow::Result<()> {
    for moment in 0..30 {
        kill_after(Duration::from_millis(moment * 10), &[])?;
    }
    Ok(())
}

/// Crashes, reboots, removed routes, pulled cables: each at its own time.
fn during_faults() -> anyhow::Result<()> {
    for moment in [700, 1_500, 2_700, 4_200] {
        kill_after(Duration::from_millis(moment), &[])?;
    }
    Ok(())
}

/// Both ends of the path are dead and the sender retransmits.
fn with_data_in_flight() -> anyhow::Result<()> {
    for moment in [400, 1_000, 2_000] {
        kill_after(Duration::from_millis(moment), &["--filter", "in-flight"])?;
    }
    Ok(())
}

fn kill_after(delay: Duration, filter: &[&str]) -> anyhow::Result<()> {
    let before = Before::count()?;
    let folder = source("scenarios");
    let folder = folder.to_string_lossy();
    let arguments = [filter, &[&folder]].concat();
    let running = Running::start(command(), &arguments)?;
    thread::sleep(delay);
    running.signal(Signal::SIGKILL)?;
    running.finish(LIMIT)?;
    before
        .is_restored()
        .with_context(|| format!("killed after {delay:?}"))
}
