//! How much one file may ask for: each case has the steps and the lists of its file too, so a
//! megabyte of text could become gigabytes.

use std::path::Path;

use super::document::{Body, Document};
use crate::file::Diagnostic;
use crate::file::{Context, Reported};
use crate::step::{Action, ProgramAction};

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
pub(super) fn whole(document: &Document, cx: &mut Context) -> Result<(), Reported> {
    let blocks = document.cases.as_ref().map_err(|error| *error)?;
    let cases = blocks.len().max(1);
    let own = |of: fn(&Body) -> usize| -> usize {
        let of_cases = blocks.iter().map(|block| of(&block.body));
        of(&document.body) * cases + of_cases.sum::<usize>()
    };
    let (steps, payload) = (own(steps), own(payload));
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

fn steps(body: &Body) -> usize {
    body.steps.as_ref().map_or(0, Vec::len)
}

fn payload(body: &Body) -> usize {
    let steps = body.steps.iter().flatten().flatten();
    let bytes = steps.map(|part| match &part.step.action {
        Action::Program(ProgramAction::Exchange(exchange)) => exchange.payload.len(),
        Action::Program(_) | Action::Network(_) => 0,
    });
    bytes.sum()
}
