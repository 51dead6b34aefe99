//! After Ctrl-C, `kill` or the close of the terminal, the harness prints the verdicts so far and
//! leaves nothing behind.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::cage::{self, Before, Check};
use crate::harness::{LIMIT, Running, command, source};
use crate::pace;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    (
        "signals::ctrl_c_shows_what_is_known_and_leaves_nothing",
        || stopped_by(Signal::SIGINT),
    ),
    (
        "signals::sigterm_shows_what_is_known_and_leaves_nothing",
        || stopped_by(Signal::SIGTERM),
    ),
    (
        "signals::sighup_shows_what_is_known_and_leaves_nothing",
        || stopped_by(Signal::SIGHUP),
    ),
    (
        "signals::sighup_that_nohup_ignores_stops_nothing",
        ignored_hangup,
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    cage::trials(CHECKS, pace::alone)
}

/// Sends the signal when the first case has its verdict and the others still run.
fn stopped_by(signal: Signal) -> anyhow::Result<()> {
    let before = Before::count()?;
    let (rebooted, crashed) = (
        source("scenarios/rebooted.toml"),
        source("scenarios/crashed.toml"),
    );
    let files = [rebooted.to_string_lossy(), crashed.to_string_lossy()];
    let mut running = Running::start(command(), &files)?;
    running.wait_for("   pass ")?;
    let begun = Instant::now();
    running.signal(signal)?;
    let finished = running.finish(LIMIT)?;
    let took = begun.elapsed();
    finished.exits(130)?;
    ensure!(took < Duration::from_secs(1), "{took:?}\n{}", finished.out);
    let table = finished.out.split("\nVERDICT ").nth(1).unwrap_or_default();
    let rows = |verdict: &str| {
        let lines = table.lines().skip(1).take_while(|line| !line.is_empty());
        lines
            .filter(|line| line.split_whitespace().any(|word| word == verdict))
            .count()
    };
    let (passed, stopped) = (rows("pass"), rows("stopped"));
    ensure!(passed > 0 && stopped > 0, "{}", finished.out);
    let expected = format!(": {passed} passed, {stopped} stopped");
    ensure!(finished.closing().ends_with(&expected), "{}", finished.out);
    ensure!(
        finished
            .closing()
            .starts_with(&format!("{} cases", passed + stopped)),
        "{}",
        finished.out
    );
    before.is_restored()
}

/// nohup(1) makes the harness ignore SIGHUP.
fn ignored_hangup() -> anyhow::Result<()> {
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_harness"));
    let rebooted = source("scenarios/rebooted.toml");
    let mut running = Running::start(command, &[rebooted.to_string_lossy()])?;
    running.wait_for("   pass ")?;
    running.signal(Signal::SIGHUP)?;
    running.finish(LIMIT)?.exits(0)?.never_says("stopped")?;
    Ok(())
}
