//! The file of `--report-json`, and the commands that read it.

use anyhow::{Context, ensure};
use libtest_mimic::Trial;

use crate::harness::{command, run, source};
use crate::pace;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        pace::waiting("records::the_timeline_is_told_again", told_again),
        pace::waiting("records::one_that_cannot_be_written_is_named", not_writable),
        pace::waiting("records::what_is_no_result_is_refused", no_result),
    ]
}

/// Runs the harness with these arguments. Returns its exit status, standard output and standard
/// error.
fn other(arguments: &[&str]) -> anyhow::Result<(Option<i32>, String, String)> {
    let output = command().args(arguments).output()?;
    let [out, err] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ok((output.status.code(), out, err))
}

fn told_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("result.json").display().to_string();
    let scenario = source("scenarios/crashed.toml").display().to_string();
    let wanted = [
        "-v",
        "--filter",
        "user-timeout/ipv6",
        "--report-json",
        &path,
        &scenario,
    ];
    let finished = run(&wanted)?;
    finished.exits(0)?;
    let (status, told, _) = other(&["trace", "--filter", "crashed/user-timeout", &path])?;
    ensure!(status == Some(0), "trace ended with {status:?}");
    ensure!(
        told.contains("keepalive probe 1 of"),
        "no timeline:\n{told}"
    );
    ensure!(
        finished.out.contains(&told),
        "{}\ninstead of\n{told}",
        finished.out
    );
    let (_, schema, _) = other(&["schema", "result"])?;
    let schema = serde_json::from_str(&schema).context("the schema is no JSON")?;
    let saved = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let validator = jsonschema::draft202012::new(&schema)?;
    ensure!(
        validator.is_valid(&saved),
        "the result is not valid by its own schema"
    );
    Ok(())
}

fn not_writable() -> anyhow::Result<()> {
    let scenario = source("scenarios/crashed.toml").display().to_string();
    let finished = run(&["--report-json", "/proc/no/result.json", &scenario])?;
    finished.exits(3)?;
    ensure!(finished.out.is_empty(), "something ran:\n{}", finished.out);
    ensure!(
        finished.err.contains("cannot write /proc/no/result.json"),
        "{}",
        finished.err
    );
    Ok(())
}

fn no_result() -> anyhow::Result<()> {
    let file = source("Cargo.toml").display().to_string();
    let (status, _, err) = other(&["trace", &file])?;
    ensure!(status == Some(2), "trace ended with {status:?}");
    ensure!(err.contains("Cargo.toml: it is no result of"), "{err}");
    Ok(())
}
