//! All cases in words: what was skipped, and how it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use textwrap::core::display_width;

use crate::outcome::{CaseResult, Verdict};
use crate::text::{self, plural, seconds};

/// What was skipped, a line for each reason: `skip 3 cases: this kernel has no bridge devices (a,
/// b, c)`; `on` names the kernel where there are several. So many cases are named as fit into
/// `width`, and four at most.
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

/// So many names, and how many there are besides.
fn named(skipped: &[&CaseResult], count: usize) -> String {
    let names = names(skipped);
    match names.len().saturating_sub(count) {
        0 => names.join(", "),
        more => format!("{}, and {more} more", names[..count].join(", ")),
    }
}

/// The cases, each once, in the order in which they first come.
fn names<'r>(results: &[&'r CaseResult]) -> Vec<&'r str> {
    let mut seen = BTreeSet::new();
    results
        .iter()
        .map(|result| result.prepared.case.id.0.as_str())
        .filter(|name| seen.insert(*name))
        .collect()
}

/// `4 cases`, or `8 runs of 4 cases` where they ran more than once, or on more than one kernel.
fn runs(results: &[&CaseResult]) -> String {
    let cases = plural(names(results).len(), "case");
    if names(results).len() == results.len() {
        cases
    } else {
        format!("{} of {cases}", plural(results.len(), "run"))
    }
}

/// The closing line: how many cases, how long, and how many of each verdict; and of the time those
/// took that ran in guests, how much faster it went there.
#[must_use]
pub fn closing(results: &[&CaseResult], elapsed: Duration, in_guests: Duration) -> String {
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
