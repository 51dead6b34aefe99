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
