//! Tests of the captured probes.

use super::*;

mod count {
    use super::*;

    fn counted(probes: &str) -> Prepared {
        crashed(&format!(r#"error = "ETIMEDOUT", probes = {{ {probes} }}"#))
    }

    fn sent(times: &[i64]) -> Line {
        timed_out(4_060 * MS).probes(times)
    }

    #[test]
    fn are_counted() {
        let prepared = counted("sent = 2");
        assert_eq!(of(&prepared, sent(&[S, 2 * S])), []);
        for times in [&[S][..], &[S, 2 * S, 3 * S]] {
            assert_ne!(of(&prepared, sent(times)), []);
        }
        let wrong = only(of(&prepared, sent(&[1_004 * MS])));
        assert_eq!(wrong.expected, "2 keepalive probes sent on the wire");
        assert_eq!(wrong.observed, "1, sent at 1.004s");
        assert_eq!(wrong.because, "line 3");
    }

    #[test]
    fn may_be_counted_by_a_range() {
        let prepared = counted(r#"sent = "1..2""#);
        for (times, passes) in [
            (&[][..], false),
            (&[S], true),
            (&[S, 2 * S], true),
            (&[S, 2 * S, 3 * S], false),
        ] {
            assert_eq!(of(&prepared, sent(times)).is_empty(), passes, "{times:?}");
        }
    }

    #[test]
    fn that_are_not_expected_fail() {
        let prepared = counted("sent = 0");
        assert_eq!(of(&prepared, sent(&[])), []);
        assert_ne!(of(&prepared, sent(&[S])), []);
    }

    #[test]
    fn before_zero_time_are_not_counted() {
        let line = Line::established(-3 * S).probe(-2 * S).answered(-2 * S + 1);
        let line = line
            .probe(-1)
            .answered(0)
            .probes(&[S])
            .fails("ETIMEDOUT", 4_060 * MS);
        assert_eq!(of(&counted("sent = 1, answered = 0"), line), []);
    }

    #[test]
    fn that_were_answered_are_counted() {
        let line = |answers| {
            let line = Line::established(-4 * S).probe(0);
            let line = if answers > 0 { line.answered(1) } else { line };
            let line = line.probe(MS);
            let line = if answers > 1 {
                line.answered(2 * MS)
            } else {
                line
            };
            line.fails("ETIMEDOUT", 4_060 * MS)
        };
        let counted = |answers: &str| {
            crashed(&format!(
                r#"error = "ETIMEDOUT", within = "4s..5s", probes = {{ answered = {answers} }}"#
            ))
        };
        assert_eq!(of(&counted("0"), line(0)), []);
        assert_eq!(of(&counted("1"), line(1)), []);
        assert_eq!(of(&counted(r#""1..""#), line(2)), []);
        assert_ne!(of(&counted("1"), line(2)), []);
        assert_ne!(of(&counted(r#""1..""#), line(0)), []);
    }

    #[test]
    fn that_are_reset_are_not_answered() {
        let prepared = crashed(
            r#"error = "ECONNRESET", within = "1s..1.1s", probes = { sent = 1, answered = 0 }"#,
        );
        let line = Line::established(0)
            .probe(S)
            .reset(S + 1)
            .fails("ECONNRESET", S + 2);
        assert_eq!(of(&prepared, line), []);
    }
}

mod time {
    use super::*;

    /// The length of a jiffy at 250 Hz.
    const JIFFY: i64 = 4 * MS;
    /// The maximum delay by the timer wheel of one timer of one second.
    const LATENESS: i64 = 32 * MS;

    fn prepared() -> Prepared {
        crashed(r#"error = "ETIMEDOUT", within = "4s..5s", probes = { at = ["1s", "2s"] }"#)
    }

    fn sent(first: i64, second: i64) -> Line {
        timed_out(4_060 * MS).probes(&[first, second])
    }

    #[test]
    fn may_be_early_by_a_jiffy() {
        assert_eq!(of(&prepared(), sent(S - JIFFY, 2 * S - JIFFY)), []);
        let wrong = only(of(&prepared(), sent(S - JIFFY - 1, 2 * S)));
        assert!(
            wrong
                .expected
                .starts_with("probe 1 sent 1s after the last segment received"),
            "{wrong:?}"
        );
        assert_ne!(of(&prepared(), sent(S, 2 * S - JIFFY - 1)), []);
    }

    #[test]
    fn count_from_the_last_segment_received_before_them() {
        let line = |first| {
            let line = Line::established(-700 * MS).probes(&[first, 1_300 * MS]);
            line.fails("ETIMEDOUT", 4_060 * MS)
        };
        assert_eq!(of(&prepared(), line(300 * MS - JIFFY)), []);
        assert_ne!(of(&prepared(), line(300 * MS - JIFFY - 1)), []);
        let latest = 300 * MS + LATENESS + ALLOWED;
        assert_eq!(of(&prepared(), line(latest)), []);
        assert_ne!(of(&prepared(), line(latest + 1)), []);
    }

    #[test]
    fn after_the_watch_are_not_counted() {
        let prepared = crashed(r#"survives = "5.5s", probes = { sent = 1, at = ["1s"] }"#);
        let line = |late| {
            let line = Line::established(0).probes(&[S, late]);
            line.exchanged(Ok(()))
        };
        assert_eq!(of(&prepared, line(5_500 * MS + 1)), []);
        assert_ne!(of(&prepared, line(5_500 * MS)), []);
    }

    #[test]
    fn count_from_data_that_was_acknowledged_after_zero_time() {
        let line = |first| {
            let line = Line::established(-600 * MS).out(-1, 10).answered(40 * MS);
            let line = line.probes(&[first, 2_044 * MS]);
            line.fails("ETIMEDOUT", 4_060 * MS)
        };
        assert_eq!(of(&prepared(), line(1_044 * MS)), []);
        assert_ne!(of(&prepared(), line(400 * MS)), []);
    }

    #[test]
    fn may_be_late_by_what_the_wheel_allows_for_each_restart() {
        let latest = (S + LATENESS + ALLOWED, 2 * S + 2 * LATENESS + ALLOWED);
        assert_eq!(of(&prepared(), sent(latest.0, latest.1)), []);
        assert_ne!(of(&prepared(), sent(latest.0 + 1, latest.1)), []);
        let wrong = only(of(&prepared(), sent(latest.0, latest.1 + 1)));
        assert_eq!(
            wrong.expected,
            "probe 2 sent 2s after the last segment received, at most 0.114s late"
        );
        assert_eq!(wrong.observed, "sent after 2.114s");
    }

    #[test]
    fn may_be_late_by_what_the_machine_stalled() {
        let line = sent(S, 2 * S + 2 * LATENESS + ALLOWED + MS);
        let verdict = of_stalled(&prepared(), line.clone(), MS);
        assert_eq!(verdict, Verdict::Passed);
        assert_ne!(of_stalled(&prepared(), line, MS - 1), Verdict::Passed);
    }

    #[test]
    fn are_missed_where_a_probe_is() {
        let line = timed_out(4_060 * MS).probe(S);
        let wrong = only(of(&prepared(), line));
        assert_eq!(
            wrong.expected,
            "probe 2 sent 2s after the last segment received"
        );
        assert_eq!(wrong.observed, "no such probe");
    }
}
