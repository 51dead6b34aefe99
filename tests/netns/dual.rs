//! Networks that carry both families: two variants in one lab.

use std::path::Path;

use anyhow::{Context, ensure};
use deadpeer::outcome::{CaseResult, Observation};
use deadpeer::record::Record;
use libtest_mimic::Trial;

use crate::harness::{Finished, run, source};
use crate::pace;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        pace::waiting("dual::a_fault_is_the_same_moment_for_both", one_lab),
        pace::waiting("dual::each_records_what_is_of_its_family", own_frames),
        pace::waiting("dual::a_variant_may_be_alone", alone),
        pace::waiting("dual::who_ends_early_is_not_waited_for", ends_early),
    ]
}

/// Runs a file and reads the result from `--report-json`.
fn results(file: &str, more: &[&str], status: i32) -> anyhow::Result<(Finished, Vec<CaseResult>)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("result.json");
    let to = path.display().to_string();
    let file = source(file).display().to_string();
    let finished = run(&[&["--report-json", &to, &file], more].concat())?;
    finished.exits(status)?;
    Ok((finished, read(&path)?))
}

fn read(path: &Path) -> anyhow::Result<Vec<CaseResult>> {
    let mut record = Record::read(&std::fs::read_to_string(path)?)?;
    let kernel = record.kernels.pop().context("no kernel")?;
    Ok(kernel.results)
}

/// The observations of the two variants of the only case.
fn pair(results: &[CaseResult]) -> anyhow::Result<[&Observation; 2]> {
    let [one, other] = results else {
        anyhow::bail!("{} results", results.len());
    };
    let seen = |result: &'_ CaseResult| result.observation.is_some();
    ensure!(seen(one) && seen(other), "nothing was observed");
    let pair = [one, other].map(|result| result.observation.as_ref());
    let [Some(one), Some(other)] = pair else {
        anyhow::bail!("nothing was observed");
    };
    Ok([one, other])
}

const CABLE: &str = "scenarios/dual/same-cable.toml";

/// Faults in two separate labs would not have the same time to the nanosecond.
fn one_lab() -> anyhow::Result<()> {
    for case in ["pulled", "crashed", "rebooted", "plugged-in-again"] {
        let (_, results) = results(CABLE, &["--filter", case], 0)?;
        let [ipv4, ipv6] = pair(&results)?;
        ensure!(
            ipv4.zero == ipv6.zero,
            "{case}: {:?} and {:?}",
            ipv4.zero,
            ipv6.zero
        );
        let faults = |seen: &Observation| -> Vec<_> {
            // The first step is an exchange, which each variant does separately.
            let steps = seen.evidence.steps.iter().skip(1);
            steps
                .map(|step| (step.what.clone(), step.from, step.until))
                .collect()
        };
        ensure!(!faults(ipv4).is_empty(), "{case}: no fault was taken");
        ensure!(
            faults(ipv4) == faults(ipv6),
            "{case}: {:?} and {:?}",
            faults(ipv4),
            faults(ipv6)
        );
    }
    Ok(())
}

fn own_frames() -> anyhow::Result<()> {
    let (_, results) = results(CABLE, &["--filter", "crashed"], 0)?;
    pair(&results)?;
    for result in &results {
        let case = &result.prepared.case;
        let seen = result.observation.iter();
        let captures = seen.flat_map(|seen| &seen.evidence.captures);
        for capture in captures {
            let frames = &capture.frames.items;
            ensure!(frames.len() > 8, "{}: {} frames", case.id, frames.len());
            let foreign = frames.iter().filter(|frame| frame.family() != case.family);
            ensure!(
                foreign.count() == 0,
                "{}: frames of the other family",
                case.id
            );
        }
    }
    Ok(())
}

fn alone() -> anyhow::Result<()> {
    let (finished, results) = results(CABLE, &["--filter", "pulled/dual-ipv6"], 0)?;
    ensure!(results.len() == 1, "{} results", results.len());
    finished.says(&["1 case in ", ": 1 passed"])?;
    Ok(())
}

/// One variant gives up at about 4 s, and the run waits 0.2 s more for its last frames. The other
/// variant has waited for it since its own second probe.
fn ends_early() -> anyhow::Result<()> {
    let (finished, results) = results("tests/netns/dual/one-ends-early.toml", &[], 0)?;
    finished.says(&[
        "pass one-ends-early/dual-ipv4",
        "pass one-ends-early/dual-ipv6",
    ])?;
    let [ipv4, _] = pair(&results)?;
    let steps = &ipv4.evidence.steps;
    let crash = steps.last().context("no step was taken")?;
    ensure!(crash.what == "crash the server", "{}", crash.what);
    let waited = crash.from.since(ipv4.zero).as_secs_f64();
    ensure!((3.9..4.6).contains(&waited), "crashed after {waited} s");
    // The step is due when the last variant has reached it or has ended.
    let late = crash.from.since(crash.due).as_secs_f64();
    ensure!(late < 0.3, "taken {late} s late");
    Ok(())
}
