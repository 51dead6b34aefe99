//! Limits for one file. Each case also has the steps and the lists of its file, so without limits a
//! megabyte of text could expand to gigabytes.

use std::path::Path;

use super::draft::FileDraft;
use crate::file::Diagnostic;
use crate::file::{Context, Reported};
use crate::step::{Action, ProgramAction, Written};

/// The maximum number of cases in a file.
pub(super) const MOST_CASES: usize = 500;
/// The maximum number of steps of all cases of a file. The steps of the file count for each case.
pub(super) const MOST_STEPS: usize = 10_000;
/// The maximum number of payload bytes in the `exchange` steps of all cases.
const MOST_PAYLOAD: usize = 8 << 20;
/// The maximum number of characters in the name of a case.
pub(super) const LONGEST_NAME: usize = 64;
/// The maximum number of bytes in the name of a file, without `.toml`. Together with
/// [`LONGEST_NAME`], this keeps the name of a capture below the limit of file systems, 255 bytes.
const LONGEST_STEM: usize = 128;

/// The name of the file without its extension: the first part of the names of its cases and of
/// their captures.
pub(super) fn stem(path: &Path, cx: &mut Context) -> Result<String, Reported> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if stem.len() <= LONGEST_STEM {
        return Ok(stem.into_owned());
    }
    let message = format!(
        "the name of the file has {} bytes before `.toml`",
        stem.len()
    );
    let help = format!(
        "rename the file: its name is the first part of the name of each case and capture, so it has {LONGEST_STEM} bytes at most"
    );
    Err(cx.report(Diagnostic::new(None, message).help(help)))
}

/// Refuses a file whose cases together have too many steps or payload bytes.
pub(super) fn whole(file: &FileDraft, cx: &mut Context) -> Result<(), Reported> {
    let cases = file.cases.as_ref().map_err(|error| *error)?;
    let own = |of: fn(&[Result<Written, Reported>]) -> usize| -> usize {
        let of_cases = cases.iter().map(|case| of(&case.steps.own));
        of(&file.own.steps.shared) * cases.len().max(1) + of_cases.sum::<usize>()
    };
    let (steps, payload) = (own(<[_]>::len), own(payload));
    let (has, most) = if steps > MOST_STEPS {
        (format!("{steps} steps"), format!("{MOST_STEPS} steps"))
    } else if payload > MOST_PAYLOAD {
        let mebibytes = MOST_PAYLOAD >> 20;
        (
            format!("payloads of {payload} bytes"),
            format!("{mebibytes} MiB"),
        )
    } else {
        return Ok(());
    };
    let message = format!("the cases of this file have {has} in all");
    let help =
        format!("split the file: the maximum is {most}, and the file's steps count for each case");
    Err(cx.report(Diagnostic::new(None, message).help(help)))
}

fn payload(steps: &[Result<Written, Reported>]) -> usize {
    let bytes = steps.iter().flatten().map(|part| match &part.step.action {
        Action::Program(ProgramAction::Exchange(exchange)) => exchange.payload.len(),
        Action::Program(_) | Action::Network(_) => 0,
    });
    bytes.sum()
}
