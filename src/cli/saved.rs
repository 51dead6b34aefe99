//! Reads a result that `run --report-json` wrote.

use std::path::Path;

use crate::input::{self, InputError};
use crate::record::Record;
use anyhow::Context;

use super::{Exit, complain};

/// The maximum size of a result file in bytes. A result of all shipped scenarios has about 40 MiB.
const LARGEST: u64 = 1 << 30;

/// Reads a result. The inner error is the exit status if the file is not a result; the error
/// message has been written then.
///
/// # Errors
/// The file cannot be read.
pub(super) fn saved(path: &Path) -> anyhow::Result<Result<Record, Exit>> {
    let refused = |why: &str| {
        let help = if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            "use `harness check` or `harness run` for a scenario file"
        } else {
            "create one with `harness run --report-json FILE scenarios/`"
        };
        complain(&format!("{}: {why}\n  help: {help}", path.display()));
        Ok(Err(Exit::Usage))
    };
    let bytes = match input::read(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(InputError::System(error)) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
        Err(unfit @ (InputError::NotRegular(_) | InputError::TooLarge(_))) => {
            return refused(&format!(
                "it is no result of `harness run --report-json`: {unfit}"
            ));
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return refused("it is no result of `harness run --report-json`: it is not UTF-8");
    };
    match Record::read(&text) {
        Ok(record) => Ok(Ok(record)),
        Err(error) => refused(&error.to_string()),
    }
}
