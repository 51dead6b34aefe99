//! Loads the paths of the command line and prepares their cases.

use std::io;
use std::path::PathBuf;

use crate::oracle::Ticks;
use crate::prepare::{self, Prepared};
use crate::scenario;
use crate::scenario::{FileDiagnostics, LoadError, LoadErrors, Scenario, Source};
use crate::shipped;
use anyhow::Context;

use super::{color_on_stderr, fitted, note, write_stderr};

/// The path that stands for standard input when reading, and for standard output when writing.
pub(super) const STREAM: &str = "-";

/// Loads the scenarios. If any has an error, writes all errors to standard error and returns
/// `None`.
pub(super) fn load(paths: &[PathBuf]) -> anyhow::Result<Option<Vec<Scenario>>> {
    Ok(scenario::load_from(sources(paths)?)
        .map_err(|LoadErrors(errors)| print_errors(errors))
        .ok())
}

/// Writes the errors to standard error. For a path that does not exist, the message suggests the
/// shipped scenarios with a similar name.
pub(super) fn print_errors(mut errors: Vec<LoadError>) {
    for error in &mut errors {
        if let LoadError::Missing { path, meant } = error {
            *meant = shipped::meant(&path.to_string_lossy());
        }
    }
    let rendered = errors.iter().map(|error| {
        let text = error.render(color_on_stderr());
        // An excerpt of a file marks a column, so it must not be wrapped.
        let has_place = matches!(error, LoadError::Invalid(_));
        if has_place { text } else { fitted(&text) }
    });
    write_stderr(&rendered.collect::<Vec<_>>().join("\n\n"));
}

/// Returns the sources that the paths stand for: `-` is standard input. A path that does not exist
/// but is that of a shipped scenario is the copy that is built into the program; a note says so.
///
/// # Errors
/// Standard input cannot be read.
pub(super) fn sources(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        let own = || {
            shipped::below(path).map(|(path, text)| Source::Text {
                path: path.into(),
                text: text.to_owned(),
            })
        };
        if path.as_os_str() == STREAM {
            let text = io::read_to_string(io::stdin()).context("cannot read standard input")?;
            let path = PathBuf::from("stdin");
            sources.push(Source::Text { path, text });
        } else if !path.exists() && own().next().is_some() {
            let path = path.display();
            note(&format!(
                "{path} does not exist here: using the copy that is built into this program"
            ));
            sources.extend(own());
        } else {
            sources.push(Source::Path(path.clone()));
        }
    }
    Ok(sources)
}

/// Prepares all cases for a kernel of that tick. If cases cannot be judged, writes their
/// diagnostics to standard error and returns `None`.
pub(super) fn prepare(scenarios: Vec<Scenario>, ticks: Ticks) -> Option<Vec<Prepared>> {
    prepare::prepare(scenarios, ticks)
        .map_err(|unjudgeable| print_diagnostics(&unjudgeable))
        .ok()
}

/// Writes a warning to standard error wherever the oracle contradicts the expectation of a case.
pub(super) fn warn(cases: &[Prepared], scenarios: &[Scenario]) {
    print_diagnostics(&prepare::warnings(cases, scenarios));
}

fn print_diagnostics(files: &[FileDiagnostics]) {
    let rendered: Vec<String> = files
        .iter()
        .map(|file| file.render(color_on_stderr()))
        .collect();
    if !rendered.is_empty() {
        write_stderr(&rendered.join("\n\n"));
    }
}
