//! Compares the results of repeated runs of a case.

use serde_json::Value;

use crate::outcome::{CaseResult, Mismatch, Observation, Verdict};

/// The degree to which two runs of a case must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alike {
    /// In virtual time, the observations must be identical, including the times of packets.
    ToTheNanosecond,
    /// In real time, no two runs are identical, so observations are not compared. Only a case that
    /// is skipped in one run and not in the other is a difference.
    InVerdict,
}

/// The verdict on a repeated run of a case: its own verdict, or a failure if it differs from the
/// first run where it must not.
///
/// A run that is undecided, stopped or in error has nothing to compare. In real time, a failed run
/// already has its own failure; the only further difference is that one run was skipped and the
/// other was not.
#[must_use]
pub(crate) fn repeated(first: &CaseResult, other: &CaseResult, alike: Alike) -> Verdict {
    let own = other.verdict.clone();
    let difference = match (&first.verdict, &other.verdict) {
        (Verdict::Undecided(_) | Verdict::Error(_) | Verdict::Stopped(_), _)
        | (_, Verdict::Undecided(_) | Verdict::Error(_) | Verdict::Stopped(_))
        | (Verdict::Skipped(_), Verdict::Skipped(_)) => None,
        (Verdict::Skipped(reason), _) => Some(mismatch(
            alike,
            format!("it ran, and the first run was skipped: {reason}"),
        )),
        (_, Verdict::Skipped(reason)) => Some(mismatch(alike, format!("it was skipped: {reason}"))),
        _ => match (alike, &first.observation, &other.observation) {
            (Alike::ToTheNanosecond, Some(first), Some(other)) => {
                difference(first, other).map(|found| mismatch(alike, found))
            }
            _ => None,
        },
    };
    match (difference, own) {
        (None, own) => own,
        (Some(difference), Verdict::Failed(mut mismatches)) => {
            mismatches.push(difference);
            Verdict::Failed(mismatches)
        }
        (Some(difference), _) => Verdict::Failed(vec![difference]),
    }
}

fn mismatch(alike: Alike, observed: String) -> Mismatch {
    let how = match alike {
        Alike::ToTheNanosecond => ", to the nanosecond",
        Alike::InVerdict => "",
    };
    Mismatch {
        end: None,
        expected: format!("the same as in the first run{how}"),
        because: "--repeat".to_owned(),
        observed,
    }
}

/// Describes the first difference between two observations of one case.
fn difference(first: &Observation, other: &Observation) -> Option<String> {
    match (serde_json::to_value(first), serde_json::to_value(other)) {
        (Ok(first), Ok(other)) => find("", &first, &other),
        (Err(error), _) | (_, Err(error)) => Some(error.to_string()),
    }
}

/// Describes the first difference between two values below `path`, as in `ends[0].watched_until is
/// 5, not 4`.
fn find(path: &str, first: &Value, other: &Value) -> Option<String> {
    match (first, other) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(key, value)| {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                find(&path, value, &b[key])
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (a, b))| find(&format!("{path}[{index}]"), a, b))
        }
        _ if first == other => None,
        _ => Some(format!("{path} is {other}, not {first}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::testing::{Line, S, client, crashed, observed};

    fn result(verdict: Verdict, observation: Option<Observation>) -> CaseResult {
        CaseResult {
            prepared: Arc::new(crashed(r#"error = "ETIMEDOUT""#)),
            phase: Duration::ZERO,
            verdict,
            observation,
            elapsed: Duration::ZERO,
            guest_time: None,
        }
    }

    /// A run in which probes went out at these times.
    fn ran(verdict: Verdict, probes: &[i64]) -> CaseResult {
        let line = Line::established(0).probes(probes);
        result(verdict, Some(observed(vec![client(vec![line])])))
    }

    fn passed(probes: &[i64]) -> CaseResult {
        ran(Verdict::Passed, probes)
    }

    fn failed(probes: &[i64]) -> CaseResult {
        ran(Verdict::Failed(vec![own_mismatch()]), probes)
    }

    fn own_mismatch() -> Mismatch {
        mismatch(Alike::InVerdict, "its own".to_owned())
    }

    fn skipped() -> CaseResult {
        result(Verdict::Skipped("no netem".to_owned()), None)
    }

    /// What was observed instead, of each mismatch; nothing for any other verdict.
    fn found(first: &CaseResult, other: &CaseResult, alike: Alike) -> Vec<String> {
        match repeated(first, other, alike) {
            Verdict::Failed(mismatches) => {
                mismatches.into_iter().map(|found| found.observed).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_nanosecond_is_a_difference_in_virtual_time_alone() {
        let (first, other) = (passed(&[S]), passed(&[S + 1]));
        assert_eq!(
            repeated(&first, &first, Alike::ToTheNanosecond),
            Verdict::Passed
        );
        let found = found(&first, &other, Alike::ToTheNanosecond);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("ends[0].connections[0].track.probes[0].sent is "),
            "{found:?}"
        );
        assert_eq!(repeated(&first, &other, Alike::InVerdict), Verdict::Passed);
    }

    #[test]
    fn one_more_probe_is_a_difference() {
        let more = passed(&[S, 2 * S]);
        assert_eq!(found(&passed(&[S]), &more, Alike::ToTheNanosecond).len(), 1);
        let nothing = result(Verdict::Passed, Some(observed(vec![])));
        assert_eq!(found(&nothing, &more, Alike::ToTheNanosecond).len(), 1);
    }

    #[test]
    fn a_difference_comes_after_what_was_wrong_anyway() {
        let found = found(&passed(&[S]), &failed(&[S + 1]), Alike::ToTheNanosecond);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], "its own");
    }

    #[test]
    fn to_be_skipped_once_is_a_difference_in_any_time() {
        for alike in [Alike::ToTheNanosecond, Alike::InVerdict] {
            let later = found(&passed(&[S]), &skipped(), alike);
            assert_eq!(later, ["it was skipped: no netem"]);
            let first = found(&skipped(), &passed(&[S]), alike);
            assert_eq!(first, ["it ran, and the first run was skipped: no netem"]);
            assert_eq!(repeated(&skipped(), &skipped(), alike), skipped().verdict);
        }
    }

    #[test]
    fn a_run_without_a_verdict_stays_one() {
        let error = Verdict::Error("no memory".to_owned());
        // One that was observed, as where a repair was late, and differs.
        for other in [ran(error.clone(), &[S + 1]), result(error.clone(), None)] {
            for first in [passed(&[S]), skipped()] {
                assert_eq!(repeated(&first, &other, Alike::ToTheNanosecond), error);
            }
        }
        let stopped = result(Verdict::Stopped("interrupted".to_owned()), None);
        assert_eq!(
            repeated(&passed(&[S]), &stopped, Alike::ToTheNanosecond),
            stopped.verdict
        );
        let first = result(error, None);
        assert_eq!(
            repeated(&first, &passed(&[S]), Alike::ToTheNanosecond),
            Verdict::Passed
        );
    }

    #[test]
    fn a_run_in_real_time_is_not_failed_for_another() {
        assert_eq!(
            repeated(&failed(&[S]), &passed(&[S]), Alike::InVerdict),
            Verdict::Passed
        );
        let own = found(&passed(&[S]), &failed(&[S]), Alike::InVerdict);
        assert_eq!(own, ["its own"]);
    }
}
