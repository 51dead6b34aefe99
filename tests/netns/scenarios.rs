//! What ships passes.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use deadpeer::oracle::Hz;
use deadpeer::prepare::prepare;
use deadpeer::{kernel, scenario};
use libtest_mimic::Trial;

use crate::harness::{run, source};
use crate::pace;

/// One trial a file; a file that is added is found.
pub(crate) fn trials() -> Vec<Trial> {
    let files = files().expect("scenarios/ can be read");
    assert!(!files.is_empty(), "scenarios/ has no scenario");
    files.into_iter().map(trial).collect()
}

/// Judged by the time of the whole, so with nothing beside it.
pub(crate) fn trials_alone() -> Vec<Trial> {
    vec![pace::alone(
        "scenarios::all_at_once_take_no_longer_than_the_longest_case",
        all_at_once_take_no_longer_than_the_longest_case,
    )]
}

fn files() -> std::io::Result<Vec<PathBuf>> {
    let mut files = std::fs::read_dir(source("scenarios"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    Ok(files)
}

fn trial(file: PathBuf) -> Trial {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    pace::waiting(format!("scenario::{name}"), move || {
        let path = file.to_str().context("a path that is not UTF-8")?;
        run(&["--deny-skips", path])?.exits(0)?.never_says("FAIL")?;
        Ok(())
    })
}

fn all_at_once_take_no_longer_than_the_longest_case() -> anyhow::Result<()> {
    /// For building some two hundred namespaces, and for a busy machine.
    const OVERHEAD: Duration = Duration::from_secs(2);
    let folder = source("scenarios");
    let scenarios = scenario::load(std::slice::from_ref(&folder))
        .map_err(|wrong| anyhow::anyhow!("{}", wrong.render(false)))?;
    let cases = prepare(scenarios, kernel::hz().unwrap_or(Hz::COARSEST))
        .ok()
        .context("a scenario without a window")?;
    let longest = cases.iter().map(|case| case.duration()).max();
    let longest = longest.context("no case")?;
    let path = folder.to_str().context("a path that is not UTF-8")?;
    let finished = run(&["--deny-skips", path])?;
    finished.exits(0)?;
    let (elapsed, limit) = (finished.elapsed, longest + OVERHEAD);
    ensure!(
        elapsed <= limit,
        "{elapsed:?}, and the longest case takes {longest:?}\n{}",
        finished.out
    );
    Ok(())
}
