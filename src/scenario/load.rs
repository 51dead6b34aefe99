//! Loads scenario files and folders from the disk, and collects the errors of all of them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::file::{FileDiagnostics, diagnostic};
use crate::input::{self, InputError};
use crate::scenario::Scenario;
use crate::suggest::alternatives;
use crate::text::plural;

/// The maximum size of a file, in bytes. The largest shipped file has 6 KiB.
const LARGEST: u64 = 1 << 20;

/// The reason why a file or folder could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The path does not exist.
    #[error("{} does not exist{}", path.display(), did_you_mean(meant))]
    Missing {
        /// The path, as the user gave it.
        path: PathBuf,
        /// Suggestions. This module leaves them empty; a caller that knows other names can add
        /// them.
        meant: Vec<String>,
    },
    /// A system call failed.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A FIFO, a device, or a file that is too large.
    #[error("{} is not a scenario file: {source}", path.display())]
    Unfit {
        /// The path of the file.
        path: PathBuf,
        /// The reason.
        source: InputError,
    },
    /// A folder with no scenario in it or below it.
    #[error("{} has no scenario: no file in it or below it ends in .toml", path.display())]
    NoScenario {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is not UTF-8 text.
    #[error("{} is not UTF-8: line {line} has the byte 0x{byte:02x} at offset {offset}; save it as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The offset of the first invalid byte.
        offset: usize,
        /// The line (from 1) of that byte.
        line: usize,
        /// The first invalid byte.
        byte: u8,
    },
    /// A file with errors.
    #[error("{} has {}", .0.path.display(), plural(.0.diagnostics.len(), "error"))]
    Invalid(FileDiagnostics),
    /// Two files that have a case of the same name.
    #[error(
        "{} and {} both have a case {case}: a case is named after its file, so rename one of them",
        first.display(),
        second.display()
    )]
    SameCase {
        /// The file that was loaded first.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
        /// The first name that both files have.
        case: String,
    },
}

impl LoadError {
    /// Renders the error, over several lines if necessary, without a line break at the end.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Invalid(wrong) => wrong.render(color),
            other => diagnostic::render_message(&other.to_string(), color),
        }
    }
}

/// All errors of loading; at least one.
#[derive(Debug)]
pub struct LoadErrors(pub Vec<LoadError>);

impl LoadErrors {
    /// Renders all errors, separated by empty lines.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let rendered = self.0.iter().map(|error| error.render(color));
        rendered.collect::<Vec<_>>().join("\n\n")
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for LoadErrors {}

/// A source of scenarios.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, or a folder.
    Path(PathBuf),
    /// The text of a file that is not on the disk.
    Text {
        /// The name of the file.
        path: PathBuf,
        /// The text of the file.
        text: String,
    },
}

/// Loads files and, for each folder, every `*.toml` in and below it, in the order of the paths.
///
/// A file that is found twice is loaded once. Symbolic links to folders inside a folder are not
/// followed, so a loop of links does no harm.
///
/// # Errors
///
/// All errors of the files, and the names of cases that two files share.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Scenario>, LoadErrors> {
    load_from(paths.iter().cloned().map(Source::Path))
}

/// Does the same for any kind of [`Source`].
///
/// # Errors
///
/// The same as those of [`load`].
pub fn load_from(sources: impl IntoIterator<Item = Source>) -> Result<Vec<Scenario>, LoadErrors> {
    let (scenarios, mut errors) = load_each(sources);
    errors.extend(same_cases(&scenarios));
    if errors.is_empty() {
        Ok(scenarios)
    } else {
        Err(LoadErrors(errors))
    }
}

/// Loads each file separately, and returns the scenarios of the valid files and the errors of the
/// others. Names of cases that two files share are not reported.
pub fn load_each(sources: impl IntoIterator<Item = Source>) -> (Vec<Scenario>, Vec<LoadError>) {
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for source in sources {
        match source {
            Source::Path(path) => match discover(&path) {
                Ok(found) => files.extend(found.into_iter().map(Source::Path)),
                Err(error) => errors.push(error),
            },
            text @ Source::Text { .. } => files.push(text),
        }
    }
    let mut seen = HashSet::new();
    let mut scenarios = Vec::new();
    for file in files {
        let (path, text) = match file {
            Source::Path(path) => (path, None),
            Source::Text { path, text } => (path, Some(text)),
        };
        let identity = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if !seen.insert(identity) {
            continue;
        }
        let text = text.map_or_else(|| open(&path), Ok);
        match text.and_then(|text| read(&path, &text)) {
            Ok(scenario) => scenarios.push(scenario),
            Err(error) => errors.push(error),
        }
    }
    (scenarios, errors)
}

fn did_you_mean(meant: &[String]) -> String {
    if meant.is_empty() {
        return String::new();
    }
    let meant: Vec<&str> = meant.iter().map(String::as_str).collect();
    format!(": did you mean {}?", alternatives(&meant, "or"))
}

fn discover(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    descend(path, &mut found)?;
    if found.is_empty() {
        let path = path.to_owned();
        return Err(LoadError::NoScenario { path });
    }
    found.sort();
    Ok(found)
}

fn descend(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let refused = |error| failed(folder, error);
    for entry in fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        let path = entry.path();
        if entry.file_type().map_err(refused)?.is_dir() {
            descend(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            found.push(path);
        }
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> LoadError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing {
            path,
            meant: Vec::new(),
        },
        _ => LoadError::Unreadable { path, source },
    }
}

fn open(path: &Path) -> Result<String, LoadError> {
    let bytes = input::read(path, LARGEST).map_err(|error| match error {
        InputError::System(error) => failed(path, error),
        source @ (InputError::NotRegular(_) | InputError::TooLarge(_)) => {
            let path = path.to_owned();
            LoadError::Unfit { path, source }
        }
    })?;
    String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))
}

/// Calls [`parse`](super::parse), and returns its errors together with the path and the text.
///
/// # Errors
///
/// [`LoadError::Invalid`].
pub fn read(path: &Path, text: &str) -> Result<Scenario, LoadError> {
    super::parse(path, text).map_err(|diagnostics| {
        LoadError::Invalid(FileDiagnostics {
            path: path.to_owned(),
            text: text.to_owned(),
            diagnostics,
        })
    })
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> LoadError {
    let offset = error.utf8_error().valid_up_to();
    let (before, after) = error.as_bytes().split_at(offset);
    LoadError::NotUtf8 {
        path: path.to_owned(),
        offset,
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        byte: after.first().copied().unwrap_or_default(),
    }
}

/// Returns one error for each file that shares a name of a case with an earlier file, however many
/// names they share.
fn same_cases(scenarios: &[Scenario]) -> Vec<LoadError> {
    let mut owners = HashMap::new();
    let mut errors = Vec::new();
    for scenario in scenarios {
        let owned = scenario.cases.iter().find_map(|case| {
            let first: &Path = owners.get(&case.id).copied()?;
            Some((first, case))
        });
        if let Some((first, case)) = owned {
            errors.push(LoadError::SameCase {
                first: first.to_owned(),
                second: scenario.path.clone(),
                case: case.id.to_string(),
            });
        }
        for case in &scenario.cases {
            owners.entry(&case.id).or_insert(scenario.path.as_path());
        }
    }
    errors
}
