//! From paths on the command line to cases that are ready to run.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use deadpeer::oracle::Ticks;
use deadpeer::prepare::{self, Prepared};
use deadpeer::scenario;
use deadpeer::scenario::{FileDiagnostics, LoadError, LoadErrors, Scenario, Source};
use deadpeer::shipped;

use super::{color_on_stderr, fitted, note, tell};

/// Standard input, where a file is read, and standard output, where one is written.
pub(super) const STREAM: &str = "-";

/// Loads everything, or writes all that is wrong with it to standard error.
pub(super) fn load(paths: &[PathBuf]) -> anyhow::Result<Option<Vec<Scenario>>> {
    Ok(scenario::load_from(sources(paths)?)
        .map_err(|LoadErrors(wrong)| tell_wrong(wrong))
        .ok())
}

/// Writes what could not be loaded to standard error. Of a path that does not exist it tells which
/// scenario that ships may be meant.
pub(super) fn tell_wrong(mut wrong: Vec<LoadError>) {
    for error in &mut wrong {
        if let LoadError::Missing { path, meant } = error {
            *meant = shipped::meant(&path.to_string_lossy());
        }
    }
    let rendered = wrong.iter().map(|error| {
        let text = error.render(color_on_stderr());
        // A place in a file is shown in columns.
        let has_place = matches!(error, LoadError::Invalid(_));
        if has_place { text } else { fitted(&text) }
    });
    tell(&rendered.collect::<Vec<_>>().join("\n\n"));
}

/// What the paths mean: `-` is standard input, and what is not there but ships with the program is
/// its own copy, which is told.
pub(super) fn sources(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        let own = || {
            shipped::below(path).map(|(path, text)| Source::Text {
                path: path.into(),
                text: text.to_owned(),
            })
        };
        if path.as_os_str() == STREAM {
            let text = io::read_to_string(io::stdin()).context("cannot read standard input")?;
            let path = PathBuf::from("stdin");
            sources.push(Source::Text { path, text });
        } else if !path.exists() && own().next().is_some() {
            let path = path.display();
            note(&format!(
                "{path} does not exist here: using the copy that is built into this program"
            ));
            sources.extend(own());
        } else {
            sources.push(Source::Path(path.clone()));
        }
    }
    Ok(sources)
}

/// Prepares everything for a kernel of that tick, or writes all that cannot be judged to standard
/// error.
pub(super) fn prepare(scenarios: Vec<Scenario>, ticks: Ticks) -> Option<Vec<Prepared>> {
    prepare::prepare(scenarios, ticks)
        .map_err(|unjudgeable| tell_of_files(&unjudgeable))
        .ok()
}

/// Writes to standard error where the oracle contradicts what the cases expect.
pub(super) fn warn(cases: &[Prepared], scenarios: &[Scenario]) {
    tell_of_files(&prepare::warnings(cases, scenarios));
}

fn tell_of_files(files: &[FileDiagnostics]) {
    let rendered: Vec<String> = files
        .iter()
        .map(|file| file.render(color_on_stderr()))
        .collect();
    if !rendered.is_empty() {
        tell(&rendered.join("\n\n"));
    }
}
