mod evidence;
mod outcome;
mod probes;
mod steps;

use super::judge;
use crate::evidence::{Evidence, StepTaken};
use crate::outcome::{
    BrokenStep, Cut, Descriptors, EndObservation, Mismatch, Observation, Verdict,
};
use crate::prepare::Prepared;
use crate::stall::Stall;
use crate::step::StepKind;
use crate::testing::{Line, MS, S, at, case, client, counters, crashed, observed, server};

/// The limits of the oracle's window for [`crashed`], and the allowance beyond it.
const EARLIEST: i64 = 4 * S;
const LATEST: i64 = 4_128 * MS;
const ALLOWED: i64 = 50 * MS;

/// Every mismatch; empty if the case passed.
fn mismatches(prepared: &Prepared, observation: &Observation) -> Vec<Mismatch> {
    match judge(prepared, observation) {
        Verdict::Passed => Vec::new(),
        Verdict::Failed(mismatches) => {
            assert!(!mismatches.is_empty());
            mismatches
        }
        other => panic!("{other:?}"),
    }
}

fn of_end(prepared: &Prepared, end: EndObservation) -> Vec<Mismatch> {
    mismatches(prepared, &observed(vec![end]))
}

fn of(prepared: &Prepared, line: Line) -> Vec<Mismatch> {
    of_end(prepared, client(vec![line]))
}

/// The only mismatch.
fn only(mismatches: Vec<Mismatch>) -> Mismatch {
    let [only] = <[Mismatch; 1]>::try_from(mismatches).unwrap();
    only
}

fn timed_out(nanos: i64) -> Line {
    Line::established(0).fails("ETIMEDOUT", nanos)
}

/// A stall of this length, one second after zero time.
fn of_stalled(prepared: &Prepared, line: Line, nanos: i64) -> Verdict {
    let stall = Stall {
        from: at(S),
        until: at(S + nanos),
    };
    let observation = Observation {
        stalls: vec![stall],
        ..observed(vec![client(vec![line])])
    };
    judge(prepared, &observation)
}

mod connections {
    use super::*;

    #[test]
    fn must_all_see_the_error() {
        let prepared = crashed(r#"error = "ETIMEDOUT""#);
        let good = || timed_out(4_060 * MS);
        assert_eq!(of_end(&prepared, client(vec![good(), good(), good()])), []);
        let one_wrong = vec![good(), Line::established(0), good()];
        let wrong = only(of_end(&prepared, client(one_wrong)));
        assert_eq!(
            wrong.observed,
            "no error: still open 5.5s after the fault (1 of 3 connections failed; the first is shown)"
        );
        let two_wrong = vec![good(), Line::established(0), timed_out(S)];
        let wrong = only(of_end(&prepared, client(two_wrong)));
        assert!(
            wrong.observed.contains("(2 of 3 connections failed;"),
            "{wrong:?}"
        );
    }

    #[test]
    fn each_count_from_their_own_activity() {
        let prepared = crashed(r#"error = "ETIMEDOUT""#);
        let line = |activity| Line::established(activity).fails("ETIMEDOUT", activity + 4_060 * MS);
        assert_eq!(
            of_end(&prepared, client(vec![line(0), line(-900 * MS)])),
            []
        );
    }

    #[test]
    fn that_are_all_lost_fail_whatever_is_expected() {
        for expect in [r#"error = "ETIMEDOUT""#, r#"survives = "2s""#] {
            let wrong = only(of_end(&crashed(expect), client(vec![])));
            assert_eq!(wrong.expected, "a connection to observe");
            assert_eq!(wrong.observed, "the client has no connection left");
        }
    }

    #[test]
    fn that_miss_a_probe_are_counted() {
        let prepared = crashed(r#"survives = "2s", probes = { sent = 1 }"#);
        let alive = || Line::established(0).exchanged(Ok(()));
        let wrong = only(of_end(&prepared, client(vec![alive(), alive().probe(S)])));
        assert_eq!(
            wrong.observed,
            "0 (1 of 2 connections failed; the first is shown)"
        );
    }

    #[test]
    fn must_all_send_their_probes() {
        let prepared = crashed(r#"survives = "2s", probes = { sent = 1 }"#);
        let alive = || Line::established(0).exchanged(Ok(()));
        let good = || alive().probe(S).answered(S + 1);
        assert_eq!(of_end(&prepared, client(vec![good(), good()])), []);
        assert_ne!(of_end(&prepared, client(vec![good(), alive()])), []);
    }
}

mod ends {
    use super::*;

    fn both() -> Prepared {
        case(
            r#"
summary = "The cable is pulled"
topology = { preset = "switched", family = "ipv4" }
connection.client.keepalive = { idle = "1s", interval = "1s", probes = 3 }
connection.server.keepalive = { idle = "1s", interval = "1s", probes = 2 }
step = [{ do = "exchange" }, { do = "cable", at = "server", action = "pull" }]
expect.client = { error = "ETIMEDOUT" }
expect.server = { error = "ETIMEDOUT" }
"#,
        )
    }

    #[test]
    fn that_were_not_observed_fail() {
        let one = observed(vec![client(vec![timed_out(4_060 * MS)])]);
        let wrong = only(mismatches(&both(), &one));
        assert_eq!(wrong.end, Some(crate::model::End::Server));
        assert_eq!(mismatches(&both(), &observed(vec![])).len(), 2);
    }

    #[test]
    fn are_judged_each_by_its_own_window() {
        let right = vec![
            client(vec![timed_out(4_060 * MS)]),
            server(vec![timed_out(3_060 * MS)]),
        ];
        assert_eq!(mismatches(&both(), &observed(right)), []);
        let swapped = vec![
            client(vec![timed_out(3_060 * MS)]),
            server(vec![timed_out(4_060 * MS)]),
        ];
        let wrong = mismatches(&both(), &observed(swapped));
        let ends: Vec<_> = wrong.iter().filter_map(|wrong| wrong.end).collect();
        assert_eq!(ends.len(), 2, "{wrong:?}");
        assert!(wrong[0].observed.ends_with("too early"), "{wrong:?}");
        assert!(wrong[1].observed.contains("too late"), "{wrong:?}");
    }
}

mod counter {
    use super::*;

    fn prepared(range: &str) -> Prepared {
        crashed(&format!(
            r#"error = "ETIMEDOUT", counters = {{ "TcpExt:TCPKeepAlive" = {range} }}"#
        ))
    }

    fn risen(rises: &[(&str, u64)]) -> EndObservation {
        EndObservation {
            counters: counters(rises),
            ..client(vec![timed_out(4_060 * MS)])
        }
    }

    #[test]
    fn must_rise_by_the_number() {
        let keepalive = |rise| risen(&[("TcpExt:TCPTimeouts", 9), ("TcpExt:TCPKeepAlive", rise)]);
        assert_eq!(of_end(&prepared("3"), keepalive(3)), []);
        assert_ne!(of_end(&prepared("3"), keepalive(2)), []);
        let wrong = only(of_end(&prepared("3"), keepalive(4)));
        assert_eq!(
            wrong.expected,
            "TcpExt:TCPKeepAlive to rise by 3 on the client"
        );
        assert_eq!(wrong.observed, "it rose by 4");
    }

    #[test]
    fn must_rise_within_the_range() {
        for (rise, passes) in [(1, false), (2, true), (4, true), (5, false)] {
            let end = risen(&[("TcpExt:TCPKeepAlive", rise)]);
            assert_eq!(of_end(&prepared(r#""2..4""#), end).is_empty(), passes);
        }
    }

    #[test]
    fn that_did_not_rise_counts_as_zero() {
        let still = || risen(&[("TcpExt:TCPKeepAlive", 0)]);
        assert_eq!(of_end(&prepared("0"), still()), []);
        let wrong = only(of_end(&prepared(r#""1..""#), still()));
        assert_eq!(wrong.observed, "it rose by 0");
    }

    #[test]
    fn that_the_kernel_does_not_have_is_not_zero() {
        let other = risen(&[("TcpExt:TCPTimeouts", 9)]);
        let wrong = only(of_end(&prepared("0"), other));
        assert_eq!(wrong.observed, "this kernel has no counter of that name");
    }
}

mod descriptors {
    use super::*;

    fn counted(after: usize) -> EndObservation {
        EndObservation {
            descriptors: Some(Descriptors {
                before: 1,
                open: 4,
                after,
            }),
            ..client(vec![timed_out(4_060 * MS)])
        }
    }

    #[test]
    fn must_be_as_many_as_before() {
        let prepared = crashed(r#"error = "ETIMEDOUT", descriptors = "returned""#);
        assert_eq!(of_end(&prepared, counted(1)), []);
        let wrong = only(of_end(&prepared, counted(2)));
        assert_eq!(wrong.expected, "1 descriptor open again");
        assert_eq!(wrong.observed, "2 still open");
        assert_ne!(of_end(&prepared, counted(0)), []);
    }
}

#[test]
fn several_mismatches_are_all_told() {
    let prepared = crashed(
        r#"error = "ETIMEDOUT", probes = { sent = 3 }, counters = { "TcpExt:TCPKeepAlive" = 3 }"#,
    );
    let end = EndObservation {
        watched_until: at(6 * S),
        ..client(vec![Line::established(0)])
    };
    assert_eq!(of_end(&prepared, end).len(), 3);
}
