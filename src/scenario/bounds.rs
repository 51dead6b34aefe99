//! How much one file may ask for: each case has the steps and the lists of its file too, so a
//! megabyte of text could become gigabytes.

use std::path::Path;

use super::draft::FileDraft;
use crate::file::Diagnostic;
use crate::file::{Context, Reported};
use crate::step::{Action, ProgramAction, Written};

/// The most cases of a file.
pub(super) const MOST_CASES: usize = 500;
/// The most steps of all cases of a file, those of the file counted for each case.
pub(super) const MOST_STEPS: usize = 10_000;
/// The most bytes that the steps of all cases exchange.
const MOST_PAYLOAD: usize = 8 << 20;
/// The most characters of a case's name.
pub(super) const LONGEST_NAME: usize = 64;
/// The most bytes of a file's name without `.toml`. With [`LONGEST_NAME`] the name of a capture
/// stays below the 255 bytes that file systems take.
const LONGEST_STEM: usize = 128;

/// The file's name without its ending, which begins the names of its cases and of their captures.
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

/// Refuses a file whose cases have too much in all.
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
        format!("split the file: the most is {most}, and each case has the steps of the file too");
    Err(cx.report(Diagnostic::new(None, message).help(help)))
}

fn payload(steps: &[Result<Written, Reported>]) -> usize {
    let bytes = steps.iter().flatten().map(|part| match &part.step.action {
        Action::Program(ProgramAction::Exchange(exchange)) => exchange.payload.len(),
        Action::Program(_) | Action::Network(_) => 0,
    });
    bytes.sum()
}
