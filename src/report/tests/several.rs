//! Several runs of a case, and several kernels side by side.

use super::*;

fn unanswered_at(nanos: i64) -> CaseResult {
    judged(
        crashed(r#"error = "ETIMEDOUT""#),
        observed(vec![client(vec![unanswered(nanos)])]),
    )
}

#[test]
fn the_matrix_marks_what_differs_from_the_first_that_came() {
    let skipped = || without_observation(Verdict::Skipped("too slow".to_owned()));
    let other = |result| renamed(result, "other/ipv4");
    let kernels = [
        ("native", vec![skipped(), other(passed())]),
        ("6.12", vec![passed(), other(passed())]),
        ("6.1", vec![passed(), other(broken())]),
    ];
    let columns: Vec<(&str, &[CaseResult])> = kernels
        .iter()
        .map(|(name, results)| (*name, results.as_slice()))
        .collect();
    snapshot(
        "matrix",
        &written(|out| matrix::write(out, &columns, false, usize::MAX)),
    );
}

#[test]
fn what_differs_on_a_kernel_is_seen_also_where_it_passes() {
    let (one, other) = ([passed()], [survived()]);
    let columns = [("6.12", &one[..]), ("6.1", &other[..])];
    let mut out = Vec::new();
    matrix::write(&mut out, &columns, false, usize::MAX).unwrap();
    let text = String::from_utf8(out).unwrap();
    let marked = format!("{}survives <>", table::NOTABLE);
    assert!(text.contains(&marked), "{text:?}");
}

#[test]
fn several_runs_are_told_by_their_extremes_and_their_worst_verdict() {
    let error = || without_observation(Verdict::Error("no memory".to_owned()));
    let stopped = || without_observation(Verdict::Stopped("interrupted".to_owned()));
    let tables = [vec![4_050, 4_010, 4_090], vec![4_050, 4_500]];
    let mut tables = tables
        .map(|times| times.into_iter().map(|ms| unanswered_at(ms * MS)).collect())
        .to_vec();
    tables.extend([
        // A run without an observation has no time, and does not hide the other runs.
        vec![
            stopped(),
            unanswered_at(4_500 * MS),
            unanswered_at(4_050 * MS),
            survived(),
            error(),
        ],
        vec![stopped(), stopped()],
    ]);
    let text: Vec<String> = tables
        .iter()
        .map(|results: &Vec<CaseResult>| written(|out| runs::write(out, results, usize::MAX)))
        .collect();
    snapshot("runs", &text.concat());
}

#[test]
fn the_matrix_has_one_line_for_all_runs_of_a_case() {
    let other = || renamed(unanswered_at(4_050 * MS), "other/ipv4");
    let native = [
        unanswered_at(4_050 * MS),
        unanswered_at(4_090 * MS),
        other(),
        other(),
    ];
    let guest = [
        unanswered_at(4_050 * MS),
        unanswered_at(4_500 * MS),
        other(),
        renamed(survived(), "other/ipv4"),
    ];
    let columns = [("6.12", &native[..]), ("6.1", &guest[..])];
    snapshot(
        "matrix-of-runs",
        &written(|out| matrix::write(out, &columns, false, usize::MAX)),
    );
}

#[test]
fn phases_are_told_from_where_the_window_counts() {
    let since = |origin: &str| {
        let expect = format!(r#"error = "ETIMEDOUT", within = "4s..5s", since = "{origin}""#);
        let end = client(vec![unanswered(4_050 * MS)]);
        let result = judged(crashed(&expect), observed(vec![end]));
        written(|out| runs::write(out, &[result], usize::MAX))
    };
    let (fault, activity) = (since("fault"), since("activity"));
    assert!(
        fault.contains("4.05s  4.05s   4.05s  4s..5s from fault\n"),
        "{fault}"
    );
    assert!(
        activity.contains("4.09s  4.09s   4.09s  4s..5s\n"),
        "{activity}"
    );
}

#[test]
fn the_matrix_can_be_of_what_did_not_pass_only() {
    let other = |result| renamed(result, "other/ipv4");
    let one = [passed(), other(passed())];
    let two = [passed(), other(broken())];
    let columns = [("6.12", &one[..]), ("6.1", &two[..])];
    let text = written(|out| matrix::write(out, &columns, true, usize::MAX));
    assert!(text.contains("FAIL     other/ipv4"), "{text}");
    assert!(!text.contains("test/ipv4"), "{text}");
    let columns = [("6.12", &one[..]), ("6.1", &one[..])];
    let text = written(|out| matrix::write(out, &columns, true, usize::MAX));
    assert_eq!(text, "");
}
