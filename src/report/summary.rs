//! The summary of a run: the skipped cases, and the closing line.

use std::collections::BTreeSet;
use std::time::Duration;

use textwrap::core::display_width;

use crate::outcome::{CaseResult, Verdict};
use crate::text::{self, plural, seconds};

/// Returns a line for each reason for which cases were skipped: `skip 3 cases: this kernel has no
/// bridge devices (a, b, c)`. `on` names the kernel if there are several. The line names as many
/// cases as fit into `width`, at most four.
#[must_use]
pub fn skips(results: &[CaseResult], on: Option<&str>, width: usize) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&CaseResult>)> = Vec::new();
    for result in results {
        let Verdict::Skipped(reason) = &result.verdict else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, skipped)) => skipped.push(result),
            None => reasons.push((reason, vec![result])),
        }
    }
    let on = on.map(|kernel| format!(" on {kernel}")).unwrap_or_default();
    let line = |(reason, skipped): (&str, Vec<&CaseResult>)| {
        let line = format!("skip{on} {}: {reason}", runs(&skipped));
        let named = (1..=4).rev().map(|count| named(&skipped, count));
        let mut named = named.map(|names| format!("{line} ({names})"));
        let fitting = named.find(|line| display_width(line) <= width);
        fitting.unwrap_or_else(|| text::fit(&line, width))
    };
    reasons.into_iter().map(line).collect()
}

/// Returns the first `count` names, and the number of the others.
fn named(skipped: &[&CaseResult], count: usize) -> String {
    let names = names(skipped);
    match names.len().saturating_sub(count) {
        0 => names.join(", "),
        more => format!("{}, and {more} more", names[..count].join(", ")),
    }
}

/// Returns the name of each case once, in the order of the results.
fn names<'r>(results: &[&'r CaseResult]) -> Vec<&'r str> {
    let mut seen = BTreeSet::new();
    results
        .iter()
        .map(|result| result.prepared.case.id.0.as_str())
        .filter(|name| seen.insert(*name))
        .collect()
}

/// Returns `4 cases`, or `8 runs of 4 cases` if a case ran more than once or on several kernels.
fn runs(results: &[&CaseResult]) -> String {
    let cases = plural(names(results).len(), "case");
    if names(results).len() == results.len() {
        cases
    } else {
        format!("{} of {cases}", plural(results.len(), "run"))
    }
}

/// Returns the closing line: the number of cases, the elapsed time, and the number of each verdict.
/// If cases ran in guests, the line also has the guests' kernel time and its speed compared with
/// `in_guests`, the wall-clock time of the runs with guests.
#[must_use]
pub(crate) fn closing(results: &[&CaseResult], elapsed: Duration, in_guests: Duration) -> String {
    let count = |matches: fn(&Verdict) -> bool| {
        results
            .iter()
            .filter(|result| matches(&result.verdict))
            .count()
    };
    let mut parts = vec![format!(
        "{} passed",
        count(|verdict| matches!(verdict, Verdict::Passed))
    )];
    let others = [
        (
            count(|verdict| matches!(verdict, Verdict::Failed(_))),
            "failed",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Skipped(_))),
            "skipped",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Undecided(_))),
            "without a verdict",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Error(_))),
            "could not be run",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Stopped(_))),
            "stopped",
        ),
    ];
    parts.extend(
        others
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}")),
    );
    let guests: Duration = results.iter().filter_map(|result| result.guest_time).sum();
    let warp = if guests.is_zero() {
        String::new()
    } else {
        format!("; {}", text::warp(guests, in_guests))
    };
    format!(
        "{} in {}: {}{warp}",
        runs(results),
        seconds(elapsed),
        parts.join(", ")
    )
}
