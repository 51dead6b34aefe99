//! Warnings about contradictions between a file and the oracle.
//!
//! The kernel decides, not the oracle: a case that contradicts the oracle is run and judged as the
//! file states it, with a warning. Only an expected error without any window cannot be judged.

use std::path::Path;
use std::time::Duration;

use super::{Prepared, silence};
use crate::model::{ALLOWANCE, End, ErrnoName, Expectation, ExpectedOutcome, Since, StatedWindow};
use crate::oracle;
use crate::oracle::interval::Interval;
use crate::oracle::prediction::{Origin, PredictedOutcome, PredictedWindow, Prediction};
use crate::scenario::{Diagnostic, FileDiagnostics, Scenario};
use crate::text::seconds;

/// One diagnostic for each expectation that cannot be judged: an error for which neither the file
/// nor the oracle has a window.
pub(super) fn unjudgeable(cases: &[Prepared], scenarios: &[Scenario]) -> Vec<FileDiagnostics> {
    let refused = cases.iter().map(|case| (case, each_end(case, no_window)));
    by_file(refused, scenarios)
}

/// One warning for each expectation that contradicts the prediction of the oracle or that cannot be
/// proved, and for each keepalive sysctl without effect.
#[must_use]
pub fn warnings(cases: &[Prepared], scenarios: &[Scenario]) -> Vec<FileDiagnostics> {
    let doubted = cases.iter().map(|case| {
        let mut doubts = each_end(case, contradictions);
        if doubts.is_empty() {
            doubts = each_end(case, without_path);
        }
        let ends = [End::Client, End::Server].into_iter();
        doubts.extend(ends.filter_map(|end| keepalive_is_off(case, end)));
        (case, doubts)
    });
    by_file(doubted, scenarios)
}

fn each_end<D: IntoIterator<Item = Diagnostic>>(
    case: &Prepared,
    find: fn(&Prepared, End, &Expectation) -> D,
) -> Vec<Diagnostic> {
    case.observed()
        .flat_map(|(end, expectation)| find(case, end, expectation))
        .collect()
}

/// Groups the diagnostics by file. Cases share parts of their file, so the same diagnostic is shown
/// once, with the names of all cases to which it applies.
fn by_file<'c>(
    found: impl Iterator<Item = (&'c Prepared, Vec<Diagnostic>)>,
    scenarios: &[Scenario],
) -> Vec<FileDiagnostics> {
    let text = |path: &Path| {
        let scenario = scenarios.iter().find(|scenario| scenario.path == path);
        scenario
            .map(|scenario| scenario.text.clone())
            .unwrap_or_default()
    };
    let mut files: Vec<FileDiagnostics> = Vec::new();
    for (case, diagnostics) in found {
        for diagnostic in diagnostics {
            let known = files.iter().position(|file| file.path == case.path);
            let position = known.unwrap_or_else(|| {
                files.push(FileDiagnostics {
                    path: case.path.clone(),
                    text: text(&case.path),
                    diagnostics: Vec::new(),
                });
                files.len() - 1
            });
            add(
                &mut files[position].diagnostics,
                diagnostic,
                &case.case.id.0,
            );
        }
    }
    files
}

fn add(known: &mut Vec<Diagnostic>, new: Diagnostic, case: &str) {
    let same = |old: &&mut Diagnostic| {
        (&old.span, &old.message, &old.help) == (&new.span, &new.message, &new.help)
    };
    match known.iter_mut().find(same).map(|old| &mut old.label) {
        Some(Some(cases)) => {
            cases.push_str(", ");
            cases.push_str(case);
        }
        _ => known.push(new.label(format!("in {case}"))),
    }
}

fn no_window(case: &Prepared, end: End, expectation: &Expectation) -> Option<Diagnostic> {
    let expected = expectation.outcome.ended()?;
    if case.window(end).is_some() {
        return None;
    }
    let state = "state the window: `within = \"4s..4.5s\"`";
    let (message, help) = match case.prediction(end) {
        Some(
            prediction @ Prediction {
                outcome: PredictedOutcome::Error { errno, window },
                ..
            },
        ) => {
            let error = name(*errno);
            let when = match oracle::from_zero(&case.case, end, window, case.ticks) {
                Some(time) => format!("{} after zero time", between(time)),
                None => window.formula.clone(),
            };
            (
                format!("the oracle predicts {error} ({when}), not {expected}"),
                format!(
                    "did you mean `error = \"{}\"`? if not, {state}; {}",
                    errno.map_or("...".to_owned(), |errno| errno.to_string()),
                    says(prediction)
                ),
            )
        }
        _ if silence::detects_nothing(&case.case, end, case.ticks) => (
            format!("the {end} has no keepalive and nothing in flight, so it detects nothing"),
            format!(
                "did you mean `[expect.{}]`, or `keepalive` in `[connection.{end}]`? if not, {state}",
                end.peer()
            ),
        ),
        Some(prediction) => (
            format!(
                "the oracle predicts that the {end} sees no error, so it has no window for {expected}"
            ),
            format!(
                "did you mean `{} = \"6s\"`? if not, {state}; {}",
                // An end proves that it survives by an exchange, which needs a whole path.
                if case.case.unrepaired().is_some() {
                    "open"
                } else {
                    "survives"
                },
                says(prediction)
            ),
        ),
        None => (
            "the oracle has no rule for the time of this error".to_owned(),
            format!(
                "it has no rule for {}; {state}",
                silence::cause(&case.case, end, case.ticks)
            ),
        ),
    };
    Some(Diagnostic::new(expectation.places.outcome.clone(), message).help(help))
}

/// A warning about keepalive sysctls in the namespace of an end whose sockets have no keepalive.
fn keepalive_is_off(case: &Prepared, end: End) -> Option<Diagnostic> {
    let settings = case.case.connection.end(end);
    if settings.keepalive.is_some() {
        return None;
    }
    let given: Vec<(&str, &str)> = settings
        .sysctl
        .iter()
        .filter_map(|sysctl| {
            let key = sysctl.name.strip_prefix("net.ipv4.tcp_keepalive_")?;
            Some((key, sysctl.value.as_str()))
        })
        .collect();
    let names: Vec<String> = given
        .iter()
        .map(|(key, _)| format!("net.ipv4.tcp_keepalive_{key}"))
        .collect();
    let keys: Vec<String> = given
        .iter()
        .map(|(key, value)| match *key {
            "probes" => format!("{key} = {value}"),
            _ => format!("{key} = \"{value}s\""),
        })
        .collect();
    let message = format!(
        "`connection.{end}.sysctl` sets {}, but SO_KEEPALIVE is off at the {end}",
        names.join(", ")
    );
    let help = format!(
        "write `keepalive = {{ sysctl = {{ {} }} }}` in `[connection.{end}]`",
        keys.join(", ")
    );
    (!given.is_empty()).then(|| Diagnostic::new(None, message).warning().help(help))
}

fn name(errno: Option<ErrnoName>) -> String {
    errno.map_or("an error".to_owned(), |errno| errno.to_string())
}

fn contradictions(case: &Prepared, end: End, expectation: &Expectation) -> Vec<Diagnostic> {
    let Some(prediction) = case.prediction(end) else {
        return Vec::new();
    };
    let place = &expectation.places.outcome;
    let doubt = |message: String, place| {
        let doubt = Diagnostic::new(Some(place), message).help(says(prediction));
        doubt.warning()
    };
    match (&prediction.outcome, expectation.outcome) {
        (PredictedOutcome::Survives, ExpectedOutcome::Survives(_) | ExpectedOutcome::Open(_)) => {
            Vec::new()
        }
        (PredictedOutcome::Survives, ExpectedOutcome::Error(_) | ExpectedOutcome::EndOfFile) => {
            let message = format!("the oracle predicts that the {end} sees no error");
            vec![doubt(message, place.clone())]
        }
        (PredictedOutcome::Error { errno, .. }, ExpectedOutcome::EndOfFile) => {
            let message = format!("the oracle predicts {}", name(*errno));
            vec![doubt(message, place.clone())]
        }
        (
            PredictedOutcome::Error { errno, window },
            ExpectedOutcome::Survives(time) | ExpectedOutcome::Open(time),
        ) => {
            let message = too_long(case, end, window, *errno, time);
            let doubt = message.map(|message| doubt(message, place.clone()));
            doubt.into_iter().collect()
        }
        (PredictedOutcome::Error { errno, window }, ExpectedOutcome::Error(expected)) => {
            let other = errno.filter(|errno| *errno != expected).map(|errno| {
                let message = format!("the oracle predicts {errno}");
                doubt(message, place.clone())
            });
            let stated = expectation.within.zip(expectation.places.within.clone());
            let disjoint = stated.and_then(|(stated, place)| {
                let message = disjoint(case, end, window, stated)?;
                Some(doubt(message, place))
            });
            other.into_iter().chain(disjoint).collect()
        }
    }
}

/// A warning about an end that is expected to survive without a working path: the exchange that
/// proves the survival cannot complete.
fn without_path(case: &Prepared, end: End, expectation: &Expectation) -> Option<Diagnostic> {
    let ExpectedOutcome::Survives(time) = expectation.outcome else {
        return None;
    };
    let step = case.case.steps.get(case.case.unrepaired()?)?;
    let message = format!(
        "no exchange of the {end} can succeed at the end: no step repairs the fault of line {} ({step})",
        step.line
    );
    let place = expectation.places.outcome.clone();
    let doubt = Diagnostic::new(place, message).warning();
    Some(doubt.help(format!(
        "write `open = \"{}\"`, which requires no exchange, or repair the fault",
        seconds(time)
    )))
}

fn says(prediction: &Prediction) -> String {
    format!("the oracle's rule: {}", prediction.rule)
}

fn too_long(
    case: &Prepared,
    end: End,
    window: &PredictedWindow,
    errno: Option<ErrnoName>,
    time: Duration,
) -> Option<String> {
    let predicted = oracle::from_zero(&case.case, end, window, case.ticks)?;
    let error = name(errno);
    (predicted.min <= time).then(|| {
        let predicted = between(predicted);
        format!("the oracle predicts {error} {predicted} after zero time, before this time is over")
    })
}

fn disjoint(
    case: &Prepared,
    end: End,
    window: &PredictedWindow,
    stated: StatedWindow,
) -> Option<String> {
    let (predicted, origin) = match (stated.since, window.since) {
        (Since::Fault, _) => {
            let predicted = oracle::from_zero(&case.case, end, window, case.ticks)?;
            (predicted, "zero time")
        }
        (Since::Activity, Origin::LastReceived | Origin::FirstUnacknowledged) => (
            Interval::new(window.earliest, window.latest),
            "the last activity",
        ),
    };
    let apart = stated.to < predicted.min || stated.from > predicted.max + ALLOWANCE;
    apart.then(|| {
        let predicted = between(predicted);
        format!("the oracle predicts the error {predicted} after {origin}, outside of this window")
    })
}

fn between(span: Interval) -> String {
    format!("{} to {}", seconds(span.min), seconds(span.max))
}
