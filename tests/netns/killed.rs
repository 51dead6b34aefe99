//! After `kill -9`, the kernel removes everything that a run has created.
//!
//! These objects could outlive the process: a namespace that a socket keeps alive (an orphan in
//! FIN-WAIT with unacknowledged data), a namespace that has a name or is mounted, and a link in the
//! host's namespace.

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

/// Kills the harness at thirty times, from the start of the process until long after the last
/// connection is established.
fn during_setup() -> anyhow::Result<()> {
    for moment in 0..30 {
        kill_after(Duration::from_millis(moment * 10), &[])?;
    }
    Ok(())
}

/// Crashes, reboots, removed routes and pulled cables, each at a different time.
fn during_faults() -> anyhow::Result<()> {
    for moment in [700, 1_500, 2_700, 4_200] {
        kill_after(Duration::from_millis(moment), &[])?;
    }
    Ok(())
}

/// The peer is unreachable, or has rebooted, and the sender has unacknowledged data.
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
