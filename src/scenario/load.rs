//! Scenario files from the disk: files and folders to scenarios, with the errors of all of them
//! together.

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

/// The most bytes of a file. The largest that ships has 6 KiB.
const LARGEST: u64 = 1 << 20;

/// Why a file or folder gave no scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Nothing is at the path.
    #[error("{} does not exist{}", path.display(), did_you_mean(meant))]
    Missing {
        /// As the user gave it.
        path: PathBuf,
        /// What may be meant, for whoever knows more than the disk.
        meant: Vec<String>,
    },
    /// The system refused.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A FIFO, a device, or a file that is too large.
    #[error("{} is no scenario file: {source}", path.display())]
    Unfit {
        /// What was to be read.
        path: PathBuf,
        /// What is wrong with it.
        source: InputError,
    },
    /// A folder without a single scenario below it.
    #[error("{} has no scenario: no file in it or below it ends in .toml", path.display())]
    NoScenario {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is not text.
    #[error("{} is not UTF-8: line {line} has the byte 0x{byte:02x} at offset {offset}; save it as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// How many bytes come before the first wrong one.
        offset: usize,
        /// The line (from 1) that it is in.
        line: usize,
        /// The first wrong one.
        byte: u8,
    },
    /// A file with mistakes.
    #[error("{} has {}", .0.path.display(), plural(.0.diagnostics.len(), "error"))]
    Invalid(FileDiagnostics),
    /// Two files whose cases would have the same names.
    #[error(
        "{} and {} both have a case {case}: a case is named after its file, so rename one of them",
        first.display(),
        second.display()
    )]
    SameCase {
        /// The file that was loaded first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
        /// The first name that both have.
        case: String,
    },
}

impl LoadError {
    /// The error over as many lines as it takes, without a line break at the end.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Invalid(wrong) => wrong.render(color),
            other => diagnostic::render_message(&other.to_string(), color),
        }
    }
}

/// Everything that went wrong in loading; at least one error.
#[derive(Debug)]
pub struct LoadErrors(pub Vec<LoadError>);

impl LoadErrors {
    /// All errors, an empty line between each two.
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

/// Where scenarios come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, or a folder.
    Path(PathBuf),
    /// The text of a file that is not on the disk.
    Text {
        /// Its name.
        path: PathBuf,
        /// What it says.
        text: String,
    },
}

/// Loads files, and of folders every `*.toml` in and below them in the order of their paths.
///
/// A file that is reached twice is loaded once. Links to folders inside a folder are not followed,
/// so no loop of them is either.
///
/// # Errors
///
/// Everything that is wrong with any of the files, or with all of them in one run.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Scenario>, LoadErrors> {
    load_from(paths.iter().cloned().map(Source::Path))
}

/// The same from wherever they come.
///
/// # Errors
///
/// As those of [`load`].
pub fn load_from(sources: impl IntoIterator<Item = Source>) -> Result<Vec<Scenario>, LoadErrors> {
    let (scenarios, mut errors) = load_each(sources);
    errors.extend(same_cases(&scenarios));
    if errors.is_empty() {
        Ok(scenarios)
    } else {
        Err(LoadErrors(errors))
    }
}

/// The same, each file for itself: what could be loaded, and what could not.
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

/// [`parse`](super::parse), with its errors as those of a file.
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

/// One error for each two files, however many names they share.
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
