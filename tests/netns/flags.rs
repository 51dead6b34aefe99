//! The command line of `harness run`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use libtest_mimic::Trial;

use crate::harness::{LIMIT, Running, run, source};
use crate::negative::file;
use crate::pace;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        pace::waiting("flags::filter_selects_cases_by_name", filter_selects),
        pace::waiting(
            "flags::a_filter_without_a_match_is_a_usage_error",
            filter_without_match,
        ),
        pace::waiting("flags::one_job_runs_one_case_at_a_time", one_job),
        pace::waiting("flags::a_case_beyond_the_timeout_fails", timeout),
        pace::waiting("flags::fail_fast_stops_the_rest", fail_fast),
        pace::waiting("flags::slow_cases_run_when_they_are_asked_for", slow),
        pace::waiting("flags::nothing_ran_is_no_success", nothing_ran),
        pace::waiting("flags::what_takes_long_is_told_first", takes_long),
        pace::waiting("flags::the_result_can_be_standard_output", result_on_stdout),
        pace::waiting("flags::quiet_shows_only_what_failed", quiet),
        pace::waiting("flags::verbose_shows_the_evidence_of_what_passed", verbose),
        pace::waiting("flags::without_a_terminal_lines_are_plain", plain),
        pace::waiting("flags::color_can_be_forced", color),
        pace::waiting(
            "flags::too_few_descriptors_are_named_by_their_limit",
            too_few_descriptors,
        ),
    ]
}

fn scenario(name: &str) -> anyhow::Result<String> {
    let path = source(&format!("scenarios/{name}"));
    Ok(path
        .to_str()
        .context("a path that is not UTF-8")?
        .to_owned())
}

fn filter_selects() -> anyhow::Result<()> {
    let finished = run(&[
        "--filter",
        "back-at-once/ipv4",
        "--filter",
        "kernel-defaults/ipv6",
        &scenario("")?,
    ])?;
    finished.exits(0)?.says(&[
        "rebooted/back-at-once/ipv4",
        "alive/kernel-defaults/ipv6",
        "half-open/kernel-defaults/ipv6",
    ])?;
    let closing = finished.closing();
    ensure!(closing.starts_with("3 cases in "), "{closing}");
    Ok(())
}

fn slow() -> anyhow::Result<()> {
    let path = source("tests/netns/flags/slow.toml");
    let path = path.to_str().context("a path that is not UTF-8")?;
    let skipped = "skip 1 case: it is slow: run it with --slow, or with --warp (slow/slow/ipv4)";
    run(&[path])?
        .exits(0)?
        .says(&[skipped, "1 passed, 1 skipped"])?;
    run(&["--slow", "--deny-skips", path])?
        .exits(0)?
        .says(&["2 passed"])?;
    Ok(())
}

fn nothing_ran() -> anyhow::Result<()> {
    let path = source("tests/netns/flags/slow.toml");
    let path = path.to_str().context("a path that is not UTF-8")?;
    let slow = ["--filter", "*/slow/*", path];
    let finished = run(&slow)?;
    finished
        .exits(4)?
        .says(&["error: nothing ran: every case was skipped"])?
        .never_says("VERDICT")?;
    run(&[&["--allow-skips"][..], &slow].concat())?.exits(0)?;
    Ok(())
}

fn takes_long() -> anyhow::Result<()> {
    let path = source("scenarios/slow/grpc.toml");
    let path = path.to_str().context("a path that is not UTF-8")?;
    let mut arguments = vec![
        "--timeout",
        "1s",
        "--filter",
        "grpc/told/ipv4",
        "--slow",
        path,
    ];
    let told =
        "note: grpc/told/ipv4 takes up to 29.424s in real time; with --warp it takes a moment";
    run(&arguments)?.exits(1)?.says(&[told])?;
    arguments.push("-q");
    run(&arguments)?.exits(1)?.never_says(told)?;
    Ok(())
}

fn result_on_stdout() -> anyhow::Result<()> {
    let finished = run(&["--report-json", "-", &file("mixed")?])?;
    finished.exits(1)?;
    let record = deadpeer::record::Record::read(&finished.out)?;
    ensure!(record.results().count() == 2, "{}", finished.out);
    ensure!(
        finished.err.contains("FAIL mixed/wrong/ipv4"),
        "{}",
        finished.err
    );
    Ok(())
}

fn filter_without_match() -> anyhow::Result<()> {
    let finished = run(&["--filter", "nowhere", &scenario("alive.toml")?])?;
    finished
        .exits(2)?
        .says(&["--filter nowhere selects no case"])?;
    ensure!(finished.out.is_empty(), "{}", finished.out);
    Ok(())
}

/// Two cases of two seconds each.
fn one_job() -> anyhow::Result<()> {
    let finished = run(&[
        "-j",
        "1",
        "--filter",
        "kernel-defaults",
        &scenario("alive.toml")?,
    ])?;
    finished.exits(0)?;
    let elapsed = finished.elapsed;
    ensure!(
        elapsed >= Duration::from_secs(4),
        "{elapsed:?}\n{}",
        finished.out
    );
    Ok(())
}

fn timeout() -> anyhow::Result<()> {
    let filter = ["--timeout", "1s", "--filter", "socket-options/ipv4"];
    let finished = run(&[&filter[..], &[&scenario("crashed.toml")?]].concat())?;
    finished.exits(1)?.says(&[
        "expected a verdict within 1s",
        "from --timeout",
        "the case was still running",
    ])?;
    // Without the timeout, the case takes four seconds.
    let elapsed = finished.elapsed;
    ensure!(
        elapsed < Duration::from_secs(3),
        "{elapsed:?}\n{}",
        finished.out
    );
    Ok(())
}

/// One case fails at once, the others take four seconds or more.
fn fail_fast() -> anyhow::Result<()> {
    let mixed = file("mixed")?;
    let finished = run(&[
        "--fail-fast",
        "--filter",
        "wrong",
        "--filter",
        "routed",
        &mixed,
        &scenario("crashed.toml")?,
    ])?;
    finished.exits(1)?;
    let closing = finished.closing();
    ensure!(
        closing.ends_with(": 0 passed, 1 failed, 2 stopped"),
        "{closing}"
    );
    let elapsed = finished.elapsed;
    ensure!(
        elapsed < Duration::from_secs(4),
        "{elapsed:?}\n{}",
        finished.out
    );
    Ok(())
}

fn quiet() -> anyhow::Result<()> {
    let finished = run(&["-q", &file("mixed")?])?;
    finished.exits(1)?.never_says("CASE")?.never_says("right")?;
    let lines: Vec<&str> = finished
        .out
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    let first = lines.first().copied().unwrap_or_default();
    ensure!(
        first.starts_with("FAIL mixed/wrong/ipv4"),
        "{}",
        finished.out
    );
    ensure!(
        finished.closing().starts_with("2 cases in "),
        "{}",
        finished.out
    );
    Ok(())
}

fn verbose() -> anyhow::Result<()> {
    let finished = run(&[
        "-v",
        "--filter",
        "kernel-defaults/ipv4",
        &scenario("alive.toml")?,
    ])?;
    finished
        .exits(0)?
        .says(&["set up in ", "client: no keepalive probe on the wire"])?;
    Ok(())
}

fn plain() -> anyhow::Result<()> {
    run(&[file("mixed")?])?.exits(1)?.never_says("\u{1b}")?;
    Ok(())
}

fn color() -> anyhow::Result<()> {
    let (green, red) = ("\u{1b}[32m", "\u{1b}[31m");
    let finished = run(&["--color", "always", &file("mixed")?])?;
    finished.exits(1)?;
    ensure!(
        finished.out.contains(green) && finished.out.contains(red),
        "{:?}",
        finished.out
    );
    run(&["--color", "never", &file("mixed")?])?.never_says("\u{1b}")?;
    Ok(())
}

/// A case of fifty connections has two sockets for each.
fn too_few_descriptors() -> anyhow::Result<()> {
    let mut command = Command::new("prlimit");
    let binary = env!("CARGO_BIN_EXE_harness");
    command.args(["--nofile=64:64", "--", binary]);
    command.env_remove("SUDO_UID");
    let running = Running::start(command, &[scenario("half-open.toml")?])?;
    running
        .finish(LIMIT)?
        .exits(3)?
        .says(&["Too many open files", "(RLIMIT_NOFILE is 64, ulimit -Hn)"])?;
    Ok(())
}
