//! A result that `run --report-json` saved.

use std::fs;
use std::path::Path;

use anyhow::Context;
use deadpeer::record::Record;

use super::{Exit, complain};

/// Reads it; the inner error is the exit status of a file that is none, which has been told.
pub(super) fn saved(path: &Path) -> anyhow::Result<Result<Record, Exit>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Record::read(&text).map_err(|error| {
        let help = if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            "a scenario is read by `harness check` and `harness run`"
        } else {
            "`harness run --report-json FILE scenarios/` writes one"
        };
        complain(&format!("{}: {error}\n  help: {help}", path.display()));
        Exit::Usage
    }))
}
