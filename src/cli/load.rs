//! From paths on the command line to cases that are ready to run.

use std::io::Write;
use std::path::PathBuf;

use deadpeer::oracle::Ticks;
use deadpeer::prepare::{self, Prepared};
use deadpeer::scenario;
use deadpeer::scenario::model::Scenario;

/// Loads everything, or writes all that is wrong with it to standard error.
pub(super) fn load(paths: &[PathBuf]) -> Option<Vec<Scenario>> {
    match scenario::load(paths) {
        Ok(scenarios) => Some(scenarios),
        Err(wrong) => {
            // Where standard error is gone, the exit status still tells.
            writeln!(
                anstream::stderr(),
                "{}",
                wrong.render(super::color_on_stderr())
            )
            .ok();
            None
        }
    }
}

/// Prepares everything for a kernel of that tick, or writes all that cannot be judged to standard error.
pub(super) fn prepare(scenarios: Vec<Scenario>, ticks: Ticks) -> Option<Vec<Prepared>> {
    match prepare::prepare(scenarios, ticks) {
        Ok(cases) => Some(cases),
        Err(unjudgeable) => {
            for error in unjudgeable {
                writeln!(anstream::stderr(), "error: {error}").ok();
            }
            None
        }
    }
}
