//! A firewall that drops its connection-tracking entries, on this kernel: the cases pass or fail as
//! expected, or are skipped with the name of the missing feature.

use anyhow::{Context, ensure};
use libtest_mimic::Trial;

use crate::harness::{Finished, run, source};
use crate::pace;

/// The message if the kernel has no such firewall.
const LACKING: &str =
    "this kernel has no packet filter with connection tracking (CONFIG_NF_TABLES, ";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        pace::waiting("firewall::a_flow_is_known_or_not", a_flow_is_known_or_not),
        pace::waiting("firewall::a_dead_flow_is_found", a_dead_flow_is_found),
    ]
}

pub(crate) fn file(name: &str) -> anyhow::Result<String> {
    let path = source("tests/netns/firewall").join(format!("{name}.toml"));
    let path = path.to_str().context("a path that is not UTF-8")?;
    Ok(path.to_owned())
}

/// Runs the file; `None` if all cases were skipped with [`LACKING`] as the reason.
fn run_file(name: &str) -> anyhow::Result<Option<Finished>> {
    let finished = run(&["--deny-skips".to_owned(), file(name)?])?;
    if !finished.out.contains(LACKING) {
        return Ok(Some(finished));
    }
    finished.exits(4)?.never_says("FAIL")?;
    let closing = finished.closing();
    ensure!(closing.contains(": 0 passed, "), "{closing}");
    Ok(None)
}

fn a_flow_is_known_or_not() -> anyhow::Result<()> {
    if let Some(finished) = run_file("known-or-not")? {
        finished.exits(0)?.never_says("FAIL")?;
    }
    Ok(())
}

/// The firewall drops packets without an ICMP error, so only the exchange at the end detects the
/// dead flow.
fn a_dead_flow_is_found() -> anyhow::Result<()> {
    let Some(finished) = run_file("survives-though-forgotten")? else {
        return Ok(());
    };
    finished.fails(&[
        "expected to survive for 2s and then to exchange data",
        "the exchange at the end failed: no answer within 15 s",
    ])?;
    Ok(())
}
