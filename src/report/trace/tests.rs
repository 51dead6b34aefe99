use super::*;
use crate::evidence::Evidence;
use crate::report::fixture::{crash, result};

fn traced(evidence: Evidence) -> String {
    let mut out = Vec::new();
    write(&mut anstream::StripStream::new(&mut out), &result(evidence)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_crash_is_told_from_the_first_segment_to_the_error() {
    insta::assert_snapshot!(traced(crash()));
}

#[test]
fn what_was_cut_is_told() {
    let mut evidence = crash();
    evidence.captures[0].frames.cut = 17;
    assert!(traced(evidence).contains("client:eth0: 17 frames were not kept"));
}

#[test]
fn a_long_timeline_loses_its_middle() {
    let mut evidence = crash();
    let changes = evidence.changes.clone();
    evidence.changes = changes.into_iter().cycle().take(1_000).collect();
    let text = traced(evidence);
    let lines = text.lines().count();
    assert!((MOST..MOST + 5).contains(&lines), "{lines} lines");
    assert!(text.contains("lines more"), "{text}");
    assert!(text.contains("ETIMEDOUT"), "{text}");
}

/// Found by a fuzzer. The data may come from another program: a guest, or the writer of a saved
/// result.
#[test]
fn writes_that_do_not_ascend_are_told_all_the_same() {
    let mut result = result(crash());
    let connection = &mut result.observation.as_mut().unwrap().ends[0].connections[0];
    let at = crate::model::Moment::now();
    connection.writes = [10, 3].map(|end| crate::wire::Write { at, end }).to_vec();
    let mut out = Vec::new();
    write(&mut anstream::StripStream::new(&mut out), &result).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("write 10 bytes") && text.contains("write 0 bytes"),
        "{text}"
    );
}
