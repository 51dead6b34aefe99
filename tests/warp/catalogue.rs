//! docs/catalogue.md against a run in virtual time, where only times may differ from kernel to kernel.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;

use crate::masked::{difference, masked};
use crate::scenarios::source;

/// Whether what was kept is what this result gives.
pub(crate) fn is_made_of(result: &Path) -> Result<(), Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    let output = command.arg("catalogue").arg(result).output()?;
    let page = String::from_utf8(output.stdout)?;
    let kept = fs::read_to_string(source("docs/catalogue.md"))?;
    match difference(&masked(&kept, &["after"]), &masked(&page, &["after"])) {
        Some(stale) => Err(stale.into()),
        None => Ok(()),
    }
}
