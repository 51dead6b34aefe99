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
        complain(&format!("{}: {error}", path.display()));
        Exit::Usage
    }))
}
