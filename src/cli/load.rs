//! From paths on the command line to cases that are ready to run.

use std::path::PathBuf;

use deadpeer::oracle::Ticks;
use deadpeer::prepare::{self, Prepared};
use deadpeer::scenario::model::Scenario;
use deadpeer::scenario::{self, FileDiagnostics};

use super::{color_on_stderr, tell};

/// Loads everything, or writes all that is wrong with it to standard error.
pub(super) fn load(paths: &[PathBuf]) -> Option<Vec<Scenario>> {
    scenario::load(paths)
        .map_err(|wrong| tell(&wrong.render(color_on_stderr())))
        .ok()
}

/// Prepares everything for a kernel of that tick, or writes all that cannot be judged to standard error.
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
