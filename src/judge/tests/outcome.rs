//! Tests of how and when a connection ended.

use super::*;

mod end_of_file {
    use super::*;

    fn prepared() -> Prepared {
        crashed(r#"eof = true, within = "1s..2s""#)
    }

    #[test]
    fn inside_the_window_passes() {
        let line = Line::established(0).closes(1_500 * MS);
        assert_eq!(of(&prepared(), line), []);
    }

    #[test]
    fn too_early_or_too_late_fails() {
        for (at, what) in [(999, "too early"), (2_051, "too late")] {
            let line = Line::established(0).closes(at * MS);
            let wrong = only(of(&prepared(), line));
            assert!(wrong.observed.contains(what), "{}", wrong.observed);
        }
    }

    #[test]
    fn is_not_an_error() {
        let line = Line::established(0).fails("ECONNRESET", 1_500 * MS);
        let wrong = only(of(&prepared(), line));
        assert_eq!(wrong.expected, "end of file");
        assert_eq!(wrong.observed, "ECONNRESET 1.5s after the fault");
    }
}

mod openness {
    use super::*;

    #[test]
    fn needs_no_exchange() {
        let prepared = crashed(r#"open = "5s""#);
        assert_eq!(of(&prepared, Line::established(0)), []);
    }

    #[test]
    fn is_refuted_by_whatever_ends_it() {
        let prepared = crashed(r#"open = "5s""#);
        let wrong = only(of(&prepared, timed_out(4_060 * MS)));
        assert_eq!(wrong.expected, "to be open for 5s");
    }
}

mod error {
    use super::*;

    fn prepared() -> Prepared {
        crashed(r#"error = "ETIMEDOUT""#)
    }

    #[test]
    fn inside_the_window_passes() {
        assert_eq!(of(&prepared(), timed_out(4_060 * MS)), []);
    }

    #[test]
    fn of_another_name_fails() {
        let line = Line::established(0).fails("ECONNRESET", 4_060 * MS);
        let wrong = only(of(&prepared(), line));
        assert_eq!(wrong.expected, "ETIMEDOUT");
        assert_eq!(wrong.because, "line 3");
        assert_eq!(wrong.observed, "ECONNRESET 4.06s after the fault");
    }

    #[test]
    fn is_not_an_end_of_file() {
        let wrong = only(of(&prepared(), Line::established(0).closes(4_060 * MS)));
        assert_eq!(wrong.observed, "end of file 4.06s after the fault");
    }

    #[test]
    fn that_never_comes_fails() {
        let wrong = only(of(&prepared(), Line::established(0)));
        assert_eq!(wrong.observed, "no error: still open 5.5s after the fault");
    }

    #[test]
    fn at_the_lower_end_passes_and_a_nanosecond_before_does_not() {
        assert_eq!(of(&prepared(), timed_out(EARLIEST)), []);
        let wrong = only(of(&prepared(), timed_out(EARLIEST - 1)));
        assert_eq!(
            wrong.observed,
            "ETIMEDOUT after 4s: less than 0.001s too early"
        );
    }

    #[test]
    fn at_the_upper_end_passes_with_the_allowance_and_a_nanosecond_after_does_not() {
        assert_eq!(of(&prepared(), timed_out(LATEST + ALLOWED)), []);
        let wrong = only(of(&prepared(), timed_out(LATEST + ALLOWED + 1)));
        assert_eq!(
            wrong.observed,
            "ETIMEDOUT after 4.178s: 0.05s too late (tolerance 0.05s)"
        );
    }

    #[test]
    fn may_be_late_by_what_the_machine_stalled() {
        let late = timed_out(LATEST + ALLOWED + 300 * MS);
        let verdict = of_stalled(&prepared(), late.clone(), 300 * MS);
        assert_eq!(verdict, Verdict::Passed);
        let verdict = of_stalled(&prepared(), late, 300 * MS - 1);
        assert!(matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");
    }

    #[test]
    fn may_not_be_early_by_what_the_machine_stalled() {
        let verdict = of_stalled(&prepared(), timed_out(EARLIEST - MS), 300 * MS);
        assert!(matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");
        // A stall this short is within the allowance anyway.
        let verdict = of_stalled(&prepared(), timed_out(EARLIEST - MS), ALLOWED);
        assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
    }

    #[test]
    fn is_explained_by_the_oracles_rule() {
        let wrong = only(of(&prepared(), timed_out(5 * S)));
        assert_eq!(
            wrong.expected,
            "ETIMEDOUT 4s..4.128s after the last segment received"
        );
        let because =
            "idle 1s + 3 probes x 1s, by the oracle's rule: keepalive: 3 unanswered probes";
        assert!(wrong.because.starts_with(because), "{wrong:?}");
    }

    #[test]
    fn is_explained_by_the_line_of_the_files_own_window() {
        let prepared = crashed(r#"error = "ETIMEDOUT", within = "1s..2s""#);
        let wrong = only(of(&prepared, timed_out(3 * S)));
        assert_eq!(wrong.expected, "ETIMEDOUT 1s..2s after the fault");
        assert_eq!(wrong.because, "within, line 3");
    }
}

mod window {
    use super::*;

    /// A connection that is idle since 2 s before the fault, with probes from then on.
    fn idle(end: i64) -> Line {
        Line::established(-2 * S).fails("ETIMEDOUT", end)
    }

    /// A connection with data written 1 s after the fault, which is retransmitted without an
    /// answer.
    fn in_flight(end: i64) -> Line {
        Line::established(-2 * S)
            .out(S, 10)
            .out_again(1_400 * MS, 10)
            .fails("ETIMEDOUT", end)
    }

    fn stated(since: &str) -> Prepared {
        let window = r#"error = "ETIMEDOUT", within = "4s..4.128s""#;
        crashed(&format!(r#"{window}, since = "{since}""#))
    }

    /// Checks that the case passes exactly in the window that begins at this time.
    fn opens(prepared: &Prepared, line: fn(i64) -> Line, zero: i64) {
        for end in [EARLIEST, LATEST + ALLOWED] {
            assert_eq!(of(prepared, line(zero + end)), []);
        }
        for end in [EARLIEST - 1, LATEST + ALLOWED + 1] {
            assert_ne!(of(prepared, line(zero + end)), []);
        }
    }

    #[test]
    fn of_the_oracle_counts_from_the_last_segment_received() {
        opens(&crashed(r#"error = "ETIMEDOUT""#), idle, -2 * S);
    }

    #[test]
    fn of_the_file_counts_from_the_fault() {
        opens(
            &crashed(r#"error = "ETIMEDOUT", within = "4s..4.128s""#),
            idle,
            0,
        );
        opens(&stated("fault"), in_flight, 0);
    }

    #[test]
    fn since_activity_counts_from_the_last_segment_received_while_idle() {
        opens(&stated("activity"), idle, -2 * S);
    }

    #[test]
    fn since_activity_counts_from_the_first_transmission_of_data_in_flight() {
        opens(&stated("activity"), in_flight, S);
    }

    #[test]
    fn of_data_in_flight_counts_from_its_first_transmission() {
        let prepared = case(
            r#"
summary = "The peer crashes with data in flight"
expect.client = { error = "ETIMEDOUT" }
topology = { preset = "direct", family = "ipv4" }
connection.client.user_timeout = "3s"
step = [{ do = "exchange" }, { do = "crash", host = "server" }, { do = "send", after = "1s" }]
"#,
        );
        let window = prepared.window(crate::model::End::Client).unwrap();
        let (earliest, latest) = (window.earliest.as_nanos(), window.latest.as_nanos());
        let (earliest, latest) = (
            i64::try_from(earliest).unwrap(),
            i64::try_from(latest).unwrap() + ALLOWED,
        );
        for end in [earliest, latest] {
            assert_eq!(of(&prepared, in_flight(S + end)), []);
        }
        for end in [earliest - 1, latest + 1] {
            let wrong = only(of(&prepared, in_flight(S + end)));
            assert!(
                wrong
                    .expected
                    .ends_with("after the unacknowledged data was sent"),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn does_not_begin_again_with_a_reset() {
        let prepared = crashed(r#"error = "ECONNRESET", within = "4s..4.5s", since = "activity""#);
        let line = |end| {
            Line::established(0)
                .reset(end - MS)
                .fails("ECONNRESET", end)
        };
        assert_eq!(of(&prepared, line(4 * S)), []);
        assert_ne!(of(&prepared, line(4 * S - 1)), []);
    }
}

mod survival {
    use super::*;

    fn prepared() -> Prepared {
        crashed(r#"survives = "2s""#)
    }

    #[test]
    fn is_proved_by_a_further_exchange() {
        assert_eq!(of(&prepared(), Line::established(0).exchanged(Ok(()))), []);
    }

    #[test]
    fn is_refuted_by_an_exchange_that_fails() {
        let dead = Line::established(0).exchanged(Err("no answer within 15 s"));
        let wrong = only(of(&prepared(), dead));
        assert_eq!(
            wrong.expected,
            "to survive for 2s and then to exchange data"
        );
        assert_eq!(
            wrong.observed,
            "the exchange at the end failed: no answer within 15 s"
        );
    }

    #[test]
    fn is_not_proved_without_an_exchange() {
        let wrong = only(of(&prepared(), Line::established(0)));
        assert_eq!(
            wrong.observed,
            "the other end's connection has ended, so no exchange could be tried"
        );
    }

    #[test]
    fn is_refuted_by_an_error_even_after_an_exchange() {
        let line = timed_out(1_500 * MS).exchanged(Ok(()));
        let wrong = only(of(&prepared(), line));
        assert_eq!(wrong.observed, "ETIMEDOUT 1.5s after the fault");
    }
}

/// A time cannot count from the fault if the connection ended before it.
#[test]
fn an_end_before_the_fault_is_in_no_window() {
    let prepared = crashed(r#"error = "ETIMEDOUT", within = "0s..5s""#);
    let wrong = only(of(&prepared, timed_out(-14_888 * MS)));
    assert_eq!(wrong.observed, "ETIMEDOUT 14.888s before the fault");
}
