//! From paths on the command line to cases that are ready to run.

use std::io::Write;
use std::path::PathBuf;

use deadpeer::kernel;
use deadpeer::oracle::Ticks;
use deadpeer::prepare::{Prepared, prepare};
use deadpeer::scenario;

/// Loads and prepares everything, or writes all that is wrong with it to standard error.
pub(super) fn load(paths: &[PathBuf]) -> Option<Vec<Prepared>> {
    let mut errors = anstream::stderr();
    let scenarios = match scenario::load(paths) {
        Ok(scenarios) => scenarios,
        Err(wrong) => {
            // Where standard error is gone, the exit status still tells.
            writeln!(errors, "{}", wrong.render(super::color_on_stderr())).ok();
            return None;
        }
    };
    match prepare(scenarios, kernel::hz().map_or(Ticks::Unknown, Ticks::from)) {
        Ok(cases) => Some(cases),
        Err(unjudgeable) => {
            for error in unjudgeable {
                writeln!(errors, "error: {error}").ok();
            }
            None
        }
    }
}
