//! Tests of disturbances, and of steps that failed.

use std::time::Duration;

use super::*;
use crate::outcome::LateLook;

/// A step that was due, begun and done at these times, in milliseconds after zero.
fn taken(kind: StepKind, [due, from, until]: [i64; 3]) -> StepTaken {
    StepTaken {
        line: 12,
        what: "return of server".to_owned(),
        kind,
        due: at(due * MS),
        from: at(from * MS),
        until: at(until * MS),
        waits_for_peer: false,
        not_taken: None,
    }
}

/// The observation of a client whose connection ended at this time, after this step.
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

/// The only disturbance.
fn no_verdict_on(prepared: &Prepared, observation: &Observation) -> String {
    match judge(prepared, observation) {
        Verdict::Undecided(undecided) => {
            let [only] = <[String; 1]>::try_from(undecided.disturbances).unwrap();
            only
        }
        verdict => panic!("a verdict was given: {verdict:?}"),
    }
}

fn no_verdict(observation: &Observation) -> String {
    no_verdict_on(&crashed_client(), observation)
}

#[test]
fn a_late_step_leaves_no_verdict_but_a_pass() {
    let late = || taken(StepKind::Repair, [0, 600, 600]);
    assert_eq!(
        judge(&crashed_client(), &after(late(), 4_060)),
        Verdict::Passed
    );
    let reason = no_verdict(&after(late(), 5_060));
    let expected = "return of server (line 12) was completed 0.6s late; at most 0.05s is allowed";
    assert_eq!(reason, expected);
    // If the step is on time, the mismatch is a failure.
    only(mismatches(
        &crashed_client(),
        &after(taken(StepKind::Repair, [0, 0, 40]), 5_060),
    ));
}

/// A step that begins late before zero time, a late step, and a slow step.
#[test]
fn late_and_slow_steps_count_wherever_they_are() {
    for (step, delay) in [
        ([-600, 0, 0], "started 0.6s late"),
        ([1_000, 1_070, 1_070], "started 0.07s late"),
        ([0, 0, 1_232], "took 1.232s"),
    ] {
        let reason = no_verdict(&after(taken(StepKind::Fault, step), 5_060));
        assert!(reason.contains(&format!("(line 12) {delay};")), "{reason}");
    }
}

/// A close with a linger time waits for the network, so its duration is no delay of the machine.
#[test]
fn what_waits_for_the_peer_may_take_any_time() {
    let lingering = StepTaken {
        waits_for_peer: true,
        ..taken(StepKind::Fault, [0, 0, 2_000])
    };
    only(mismatches(&crashed_client(), &after(lingering, 5_060)));
}

#[test]
fn any_mismatch_is_excused_counts_too() {
    let prepared = crashed(r#"error = "ETIMEDOUT", probes = { sent = 5 }"#);
    let on_time = observed(vec![client(vec![timed_out(4_060 * MS)])]);
    only(mismatches(&prepared, &on_time));
    let stood_still = Observation {
        stalls: vec![Stall {
            from: at(S),
            until: at(1_200 * MS),
        }],
        ..on_time
    };
    let reason = no_verdict_on(&prepared, &stood_still);
    let expected = "the machine stood still for 0.2s in all; at most 0.05s is allowed";
    assert_eq!(reason, expected);
}

#[test]
fn late_looks_and_watches_leave_no_verdict() {
    let late = |change: fn(&mut EndObservation)| {
        let mut end = client(vec![timed_out(5_060 * MS)]);
        change(&mut end);
        no_verdict(&observed(vec![end]))
    };
    let reason = late(|end| end.look_delay = Duration::from_millis(700));
    assert!(
        reason.contains("the end of the watch of the client came 0.7s late"),
        "{reason}"
    );
    let reason = late(|end| {
        let by = Duration::from_millis(300);
        // A late look during the set-up is not judged.
        let [early, late] = [at(-S), at(S)].map(|at| LateLook { at, by });
        end.recording.late_looks = vec![early, late];
    });
    assert!(
        reason.contains("a look at the socket of the client came 0.3s late"),
        "{reason}"
    );
    let reason = late(|end| end.recording.frames_lost = 3);
    assert!(
        reason.contains("3 frames at the client were not recorded"),
        "{reason}"
    );
    // A delay of half the allowance is not a disturbance.
    let mut end = client(vec![timed_out(5_060 * MS)]);
    end.look_delay = Duration::from_millis(25);
    only(mismatches(&crashed_client(), &observed(vec![end])));
}

/// The program read the error long after the RST was captured: the time of the RST shows when the
/// program could have read it.
#[test]
fn a_read_that_comes_late_counts_from_the_rst() {
    let prepared = crashed(r#"error = "ECONNRESET", within = "1s..1500ms""#);
    let read = |milliseconds| {
        let line = Line::established(0).reset(1_200 * MS);
        observed(vec![client(vec![
            line.fails("ECONNRESET", milliseconds * MS),
        ])])
    };
    assert_eq!(judge(&prepared, &read(3_400)), Verdict::Passed);
    let late = crashed(r#"error = "ECONNRESET", within = "1s..1100ms""#);
    let reason = no_verdict_on(&late, &read(3_400));
    assert!(
        reason.contains("the read of the end of the connection at the client came 2.2s late"),
        "{reason}"
    );
    only(mismatches(&late, &read(1_201)));
}

/// Frames that were not recorded cannot be counted, so a count of zero does not pass.
#[test]
fn lost_frames_leave_no_verdict_on_what_was_on_the_wire() {
    let lost = || {
        let mut end = client(vec![timed_out(4_060 * MS)]);
        end.recording.broken_off = Some("out of memory".to_owned());
        observed(vec![end])
    };
    assert_eq!(judge(&crashed_client(), &lost()), Verdict::Passed);
    let prepared = crashed(r#"error = "ETIMEDOUT", retransmissions = 0"#);
    let reason = no_verdict_on(&prepared, &lost());
    assert_eq!(
        reason,
        "the recording at the client is incomplete: out of memory; the expectations of the file need every frame"
    );
}

#[test]
fn a_step_that_breaks_fails_the_case_whatever_the_ends_saw() {
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

/// A user who sets a limit wants to know that it was reached.
#[test]
fn a_limit_is_a_failure_on_a_busy_machine_too() {
    let observation = Observation {
        cut_short: Some(Cut::Timeout(Duration::from_secs(5))),
        ..after(taken(StepKind::Fault, [0, 600, 600]), 4_060)
    };
    only(mismatches(&crashed_client(), &observation));
}
