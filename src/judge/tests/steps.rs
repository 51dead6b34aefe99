//! Steps that were late, took long or failed.

use super::*;

/// Due, begun and done then, in milliseconds after zero.
fn taken(kind: StepKind, [due, from, until]: [i64; 3]) -> StepTaken {
    StepTaken {
        line: 12,
        what: "return of server".to_owned(),
        kind,
        due: at(due * MS),
        from: at(from * MS),
        until: at(until * MS),
    }
}

/// What a client saw whose connection ended then, after this step.
fn after(step: StepTaken, ended: i64) -> Observation {
    let evidence = Evidence {
        steps: vec![step],
        ..Evidence::default()
    };
    Observation {
        evidence,
        ..observed(vec![client(vec![timed_out(ended * MS)])])
    }
}

fn crashed_client() -> Prepared {
    crashed(r#"error = "ETIMEDOUT""#)
}

fn no_verdict(observation: &Observation) -> String {
    match judge(&crashed_client(), observation) {
        Verdict::Error(reason) => reason,
        verdict => panic!("a verdict was given: {verdict:?}"),
    }
}

#[test]
fn that_were_late_leave_no_verdict_but_a_pass() {
    let late = || taken(StepKind::Repair, [0, 600, 600]);
    assert_eq!(
        judge(&crashed_client(), &after(late(), 4_060)),
        Verdict::Passed
    );
    let reason = no_verdict(&after(late(), 5_060));
    let expected = "no verdict: return of server (line 12) was done 0.6s late, and what is expected allows for 0.05s; \
                    observed ETIMEDOUT after 5.06s";
    assert!(reason.starts_with(expected), "{reason}");
    // That the connections are gone is no matter of time.
    let observation = Observation {
        ends: observed(vec![client(vec![])]).ends,
        ..after(late(), 5_060)
    };
    only(mismatches(&crashed_client(), &observation));
}

#[test]
fn that_broke_something_first_may_begin_at_any_time() {
    let late = taken(StepKind::Fault, [-600, 0, 0]);
    only(mismatches(&crashed_client(), &after(late, 5_060)));
    let later = taken(StepKind::Fault, [1_000, 1_070, 1_070]);
    let reason = no_verdict(&after(later, 5_060));
    assert!(
        reason.contains("(line 12) was begun 0.07s late, and"),
        "{reason}"
    );
}

#[test]
fn that_took_long_matter_where_somebody_answered_meanwhile() {
    let long = taken(StepKind::Fault, [0, 0, 600]);
    let mut observation = after(long, 5_060);
    only(mismatches(&crashed_client(), &observation));
    let track = &mut observation.ends[0].connections[0].track;
    track.probes.push(Probe {
        asks: Asks::Presence,
        sent: at(500 * MS),
        answered: Some(at(501 * MS)),
    });
    let reason = no_verdict(&observation);
    assert!(reason.contains("(line 12) took 0.6s, and"), "{reason}");
}

#[test]
fn that_break_fail_the_case_whatever_the_ends_saw() {
    let broken = BrokenStep {
        line: 10,
        what: "exchange 5 bytes from client".to_owned(),
        error: "no answer within 15 s".to_owned(),
    };
    let observation = |ends| Observation {
        cut_short: Some(Cut::Step(broken.clone())),
        ..observed(ends)
    };
    let prepared = crashed(r#"error = "ETIMEDOUT""#);
    let right = client(vec![timed_out(4_060 * MS)]);
    for ends in [vec![], vec![right]] {
        let wrong = only(mismatches(&prepared, &observation(ends)));
        assert_eq!(
            wrong,
            Mismatch {
                end: None,
                expected: "step exchange 5 bytes from client to succeed".to_owned(),
                because: "line 10".to_owned(),
                observed: "no answer within 15 s".to_owned(),
            }
        );
    }
}
