//! The result of a run, from which every report is made. It is saved as JSON and read back.
//!
//! It does not depend on the date or the speed of the run, so two runs in virtual time give the
//! same bytes.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::{JsonSchema, Schema, schema_for};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::outcome::CaseResult;
use crate::text::{self, printable};

/// The version of the file's format. Every incompatible change increases it.
pub(crate) const FORMAT: u32 = 3;

/// The result of a run. Times without a unit in their description are in nanoseconds; moments are
/// in nanoseconds on `CLOCK_MONOTONIC` of the kernel that the case ran on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The version of this format.
    pub(crate) format: u32,
    /// The version of the harness that wrote the file.
    pub(crate) harness: String,
    /// The number of phases of the kernel's clock at which each case ran (`--phases`).
    pub(crate) phases: NonZeroU32,
    /// The number of runs of each case at each phase (`--repeat`).
    pub(crate) repeat: NonZeroU32,
    /// The results on each kernel, in the order of `--kernels`.
    pub kernels: Vec<OnKernel>,
}

/// The results of all cases on one kernel.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OnKernel {
    /// `native`, or the name of the kernel's file.
    pub kernel: String,
    /// The output of `uname -r` on the kernel, if known.
    pub release: Option<String>,
    /// Whether a signal stopped the run.
    pub(crate) interrupted: bool,
    /// The results, in the order of the files and their cases. Each case has its phases in order,
    /// and each phase its repetitions.
    pub results: Vec<CaseResult>,
    /// The wall-clock time of the run, for the user.
    #[serde(skip)]
    pub(crate) elapsed: Duration,
}

/// Why a file is not the result of a run.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is not JSON, or has another structure.
    #[error("it is no result of `harness run --report-json`: {reason}, at {place}")]
    Shape {
        /// The error.
        reason: String,
        /// The path of the wrong value: `kernels[0].results[3].verdict`.
        place: String,
    },
    /// It has another format version.
    #[error(
        "its format is version {found}, but this harness reads version {FORMAT}; use the harness that wrote it"
    )]
    Format {
        /// The version in the file.
        found: u64,
    },
}

impl Record {
    /// The result of a run by this program.
    #[must_use]
    pub(crate) fn new(phases: NonZeroU32, repeat: NonZeroU32, kernels: Vec<OnKernel>) -> Self {
        Self {
            format: FORMAT,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            phases,
            repeat,
            kernels,
        }
    }

    /// Reads a saved result.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read(text: &str) -> Result<Self, RecordError> {
        // The version is checked first: structural errors in a file of another version are
        // meaningless.
        let version: Version = shaped(text)?;
        if version.format != u64::from(FORMAT) {
            return Err(RecordError::Format {
                found: version.format,
            });
        }
        shaped(text)
    }

    /// The JSON Schema (draft 2020-12) of the file.
    #[must_use]
    pub fn schema() -> Schema {
        schema_for!(Self)
    }

    /// Whether each case ran more than once.
    #[must_use]
    pub(crate) fn several_runs(&self) -> bool {
        self.phases.get() > 1 || self.repeat.get() > 1
    }

    /// Every result with its kernel and with a label, which names the kernel and the run if there
    /// is more than one.
    pub fn results(&self) -> impl Iterator<Item = (&OnKernel, String, &CaseResult)> {
        let several = self.kernels.len() > 1;
        self.kernels.iter().flat_map(move |run| {
            let labels = Labels {
                kernel: several.then(|| run.kernel.clone()),
                phases: self.phases,
                repeat: self.repeat,
            };
            let results = run.results.iter().enumerate();
            results.map(move |(position, result)| (run, labels.of(position), result))
        })
    }
}

/// Labels of the runs on one kernel. A label names only the properties that differ between runs.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    /// The kernel, if there are several.
    pub(crate) kernel: Option<String>,
    /// As in [`Record`].
    pub(crate) phases: NonZeroU32,
    /// As in [`Record`].
    pub(crate) repeat: NonZeroU32,
}

impl Labels {
    /// The label of a result, by its index among all results on its kernel: `on linux-6.1, phase 3
    /// of 43, run 2 of 5`; empty if each case runs once.
    #[must_use]
    pub(crate) fn of(&self, position: usize) -> String {
        let (phases, repeat) = (self.phases.get(), self.repeat.get());
        let [of_phase, of_run] = [phases as usize, repeat as usize];
        let phase = || format!("phase {} of {phases}", position / of_run % of_phase + 1);
        let run = || format!("run {} of {repeat}", position % of_run + 1);
        let parts = [
            self.kernel.as_ref().map(|kernel| format!("on {kernel}")),
            (phases > 1).then(phase),
            (repeat > 1).then(run),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Whether there is more than one run of a case.
    #[must_use]
    pub(crate) fn several(&self) -> bool {
        self.kernel.is_some() || self.phases.get() > 1 || self.repeat.get() > 1
    }
}

#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// Decodes JSON. Every string in the value is [`printable`], whatever the file contains.
fn shaped<T: DeserializeOwned>(text: &str) -> Result<T, RecordError> {
    // A `Value` takes several times the length of the text in memory. Only a text that may contain
    // control characters needs this step, which is rare.
    let may_control = text.contains(text::controls) || text.contains(r"\u") || text.contains(r"\r");
    if may_control || text.contains(r"\b") || text.contains(r"\f") {
        let mut value: Value = decoded(&mut serde_json::Deserializer::from_str(text))?;
        make_printable(&mut value);
        decoded(value)
    } else {
        decoded(&mut serde_json::Deserializer::from_str(text))
    }
}

fn decoded<'de, T: Deserialize<'de>>(
    json: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, RecordError> {
    serde_path_to_error::deserialize(json).map_err(|error| RecordError::Shape {
        place: error.path().to_string(),
        reason: error.into_inner().to_string(),
    })
}

fn make_printable(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(escaped) = printable(text) {
                *text = escaped;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_printable),
        Value::Object(entries) => {
            let taken = std::mem::take(entries).into_iter();
            let escaped = taken.map(|(key, mut value)| {
                make_printable(&mut value);
                (printable(&key).into_owned(), value)
            });
            *entries = escaped.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{detail, fixture};

    fn one(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn record(phases: u32, repeat: u32) -> Record {
        let run = OnKernel {
            kernel: "native".to_owned(),
            release: Some("6.12.1".to_owned()),
            interrupted: false,
            results: vec![fixture::result(fixture::crash())],
            elapsed: Duration::ZERO,
        };
        Record::new(one(phases), one(repeat), vec![run])
    }

    fn told(record: &Record) -> String {
        let mut out = Vec::new();
        for (_, which, result) in record.results() {
            detail::write(&mut out, true, &which, result, usize::MAX).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_read_back_is_what_was_saved() {
        let saved = serde_json::to_string(&record(1, 1)).unwrap();
        let back = Record::read(&saved).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), saved);
        assert_eq!(told(&back), told(&record(1, 1)));
    }

    #[test]
    fn what_was_saved_before_a_network_could_carry_both_families_is_read() {
        let saved = serde_json::to_string(&record(1, 1)).unwrap();
        let mut old = saved.replace(r#""stack":"single","#, "");
        for key in ["other_family", "family"] {
            old = old.replace(&format!(r#""{key}":null,"#), "");
        }
        assert_eq!(saved.len() - old.len(), 17 + 20 + 2 * 14);
        let back = Record::read(&old).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), saved);
    }

    #[test]
    fn nothing_that_is_read_controls_the_terminal() {
        let saved = serde_json::to_string(&record(1, 1)).unwrap();
        for hostile in [r"\u001b[2J", "\u{9b}2J", r"\u202e", r"\r", r"\b"] {
            let saved = saved
                .replace(r#""native""#, &format!(r#""native{hostile}""#))
                .replace("crash the server", &format!("crash{hostile} the server"))
                .replace("test/ipv4", &format!("test{hostile}/ipv4"));
            let record = Record::read(&saved).unwrap();
            assert!(!record.kernels[0].kernel.contains(text::controls));
            let told = anstream::adapter::strip_str(&told(&record)).to_string();
            let raw: Vec<char> = told.chars().filter(|c| text::controls(*c)).collect();
            assert!(raw.is_empty() && told.contains("crash\\u{"), "{told}");
        }
    }

    #[test]
    fn another_format_is_refused_by_its_number_whatever_else_it_has() {
        let error = Record::read(r#"{"format": 1, "cases": []}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "its format is version 1, but this harness reads version 3; use the harness that wrote it"
        );
    }

    #[test]
    fn what_has_another_shape_is_refused_with_the_place() {
        let saved = serde_json::to_string(&record(1, 1)).unwrap();
        let wrong = saved.replace(r#""verdict":"passed""#, r#""verdict":"perfect""#);
        assert_ne!(wrong, saved);
        let error = Record::read(&wrong).unwrap_err().to_string();
        assert!(error.contains("kernels[0].results[0].verdict"), "{error}");
        assert!(error.contains("perfect"), "{error}");
    }

    #[test]
    fn a_run_is_named_by_what_there_is_more_than_one_of() {
        let label = |kernel: Option<&str>, phases, repeat, position| {
            let labels = Labels {
                kernel: kernel.map(str::to_owned),
                phases: one(phases),
                repeat: one(repeat),
            };
            labels.of(position)
        };
        assert_eq!(label(None, 1, 1, 7), "");
        assert_eq!(label(None, 1, 5, 7), "run 3 of 5");
        assert_eq!(label(None, 43, 1, 44), "phase 2 of 43");
        assert_eq!(label(None, 2, 5, 17), "phase 2 of 2, run 3 of 5");
        assert_eq!(label(Some("6.1"), 1, 5, 7), "on 6.1, run 3 of 5");
    }
}
