//! What ships passes, and so does what only the tests need: the files in `steps/`.

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
    let folders = [("scenario", "scenarios"), ("steps", "tests/netns/steps")];
    let of = |(kind, folder): (&'static str, &str)| {
        let files = files(folder).expect("a folder of the source tree can be read");
        assert!(!files.is_empty(), "{folder} has no scenario");
        files.into_iter().map(move |file| trial(kind, file))
    };
    folders.into_iter().flat_map(of).collect()
}

/// Judged by the time of the whole, so with nothing beside it.
pub(crate) fn trials_alone() -> Vec<Trial> {
    vec![pace::alone(
        "scenarios::all_at_once_take_no_longer_than_the_longest_case",
        all_at_once_take_no_longer_than_the_longest_case,
    )]
}

fn files(folder: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = std::fs::read_dir(source(folder))?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    Ok(files)
}

fn trial(kind: &str, file: PathBuf) -> Trial {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    pace::waiting(format!("{kind}::{name}"), move || {
        let path = file.to_str().context("a path that is not UTF-8")?;
        run(&["--deny-skips", path])?.exits(0)?.never_says("FAIL")?;
        Ok(())
    })
}

fn all_at_once_take_no_longer_than_the_longest_case() -> anyhow::Result<()> {
    /// For building some two hundred namespaces, and for a busy machine.
    const OVERHEAD: Duration = Duration::from_secs(2);
    // Those below it are for virtual time.
    let files = files("scenarios")?;
    let scenarios =
        scenario::load(&files).map_err(|wrong| anyhow::anyhow!("{}", wrong.render(false)))?;
    let cases = prepare(scenarios, kernel::hz().unwrap_or(Hz::COARSEST))
        .ok()
        .context("a scenario without a window")?;
    let longest = cases.iter().map(|case| case.duration()).max();
    let longest = longest.context("no case")?;
    let paths = files.iter().map(|file| file.to_string_lossy());
    let arguments: Vec<_> = std::iter::once("--deny-skips".into())
        .chain(paths)
        .collect();
    let finished = run(&arguments)?;
    finished.exits(0)?;
    let (elapsed, limit) = (finished.elapsed, longest + OVERHEAD);
    ensure!(
        elapsed <= limit,
        "{elapsed:?}, and the longest case takes {longest:?}\n{}",
        finished.out
    );
    Ok(())
}
