use std::path::Path;
use std::time::Duration;

use super::{NoWindow, Prepared, Window, WindowOrigin, prepare};
use crate::oracle::Hz;
use crate::oracle::prediction::PredictedOutcome;
use crate::scenario;
use crate::scenario::model::End;
use crate::testing::{case, crashed};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

mod window {
    use super::*;

    fn of(expect: &str) -> Window {
        crashed(expect).window(End::Client).unwrap()
    }

    #[test]
    fn is_the_oracles_where_the_file_has_none() {
        let window = of(r#"error = "ETIMEDOUT""#);
        assert_eq!(
            window,
            Window {
                earliest: ms(4_000),
                latest: ms(4_128),
                from: WindowOrigin::LastReceived,
                formula: "idle 1s + 3 probes x 1s".to_owned(),
            }
        );
    }

    #[test]
    fn of_the_file_beats_the_oracles() {
        let stated = |from| Window {
            earliest: ms(1_000),
            latest: ms(9_000),
            from,
            formula: "within, line 3".to_owned(),
        };
        let within = r#"error = "ETIMEDOUT", within = "1s..9s""#;
        assert!(crashed(within).prediction(End::Client).is_some());
        assert_eq!(of(within), stated(WindowOrigin::Fault));
        assert_eq!(
            of(&format!(r#"{within}, since = "activity""#)),
            stated(WindowOrigin::Activity)
        );
    }

    #[test]
    fn counts_from_the_data_where_some_is_in_flight() {
        let prepared = case(
            r#"
summary = "The peer crashes with data in flight"
topology = { preset = "direct", family = "ipv4" }
connection.client.user_timeout = "3s"
step = [{ do = "exchange" }, { do = "crash", host = "server" }, { do = "send" }]
expect.client.error = "ETIMEDOUT"
"#,
        );
        let window = prepared.window(End::Client).unwrap();
        assert_eq!(window.from, WindowOrigin::FirstUnacknowledged);
        assert!(window.earliest > ms(3_000), "{window:?}");
    }

    #[test]
    fn of_a_survivor_is_none_though_the_oracle_predicts_an_error() {
        let prepared = crashed(r#"survives = "2s""#);
        let predicted = &prepared.prediction(End::Client).unwrap().outcome;
        assert!(matches!(predicted, PredictedOutcome::Error { .. }));
        assert_eq!(prepared.window(End::Client), None);
    }

    #[test]
    fn of_an_end_of_which_nothing_is_asked_is_none() {
        let prepared = crashed(r#"error = "ETIMEDOUT""#);
        assert_eq!(prepared.window(End::Server), None);
        assert_eq!(prepared.prediction(End::Server), None);
    }
}

mod unjudgeable {
    use super::*;

    /// A host that crashes itself: the oracle settles nothing about it.
    fn own_crash(expect: &str) -> Result<Vec<Prepared>, Vec<NoWindow>> {
        let text = format!(
            r#"
summary = "The client crashes"
topology = {{ preset = "direct" }}
connection.client.keepalive = {{ idle = "1s", interval = "1s", probes = 3 }}
step = [{{ do = "exchange" }}, {{ do = "crash", host = "client" }}]

[expect.client]
{expect}
"#
        );
        let scenario = scenario::parse(Path::new("folder/own-crash.toml"), &text).unwrap();
        prepare(vec![scenario], Hz::new(250).unwrap())
    }

    #[test]
    fn errors_are_all_refused_with_file_and_line() {
        let refused = own_crash(r#"error = "ETIMEDOUT""#).unwrap_err();
        let refused: Vec<String> = refused.iter().map(NoWindow::to_string).collect();
        insta::assert_snapshot!(refused.join("\n"), @r#"
        folder/own-crash.toml:7: in own-crash/ipv4, the time of the client's error follows from no rule that the oracle has
          help: state the window in the file: within = "4s..4.5s"
        folder/own-crash.toml:7: in own-crash/ipv6, the time of the client's error follows from no rule that the oracle has
          help: state the window in the file: within = "4s..4.5s"
        "#);
    }

    #[test]
    fn errors_are_not_those_with_a_window_of_their_own() {
        let stated = own_crash("error = \"ETIMEDOUT\"\nwithin = \"4s..4.5s\"");
        assert_eq!(stated.unwrap().len(), 2);
    }

    #[test]
    fn errors_are_those_where_the_oracle_sees_a_survivor() {
        let text = r#"
summary = "Nothing happens"
topology = { preset = "direct", family = "ipv4" }
step = [{ do = "exchange" }]
expect.client.error = "ETIMEDOUT"
"#;
        let scenario = scenario::parse(Path::new("calm.toml"), text).unwrap();
        assert_eq!(
            prepare(vec![scenario], Hz::new(250).unwrap())
                .unwrap_err()
                .len(),
            1
        );
    }

    #[test]
    fn survival_needs_no_window() {
        assert!(own_crash(r#"survives = "2s""#).is_ok());
    }
}

mod duration {
    use super::*;

    fn of(steps: &str, expect: &str) -> Duration {
        case(&format!(
            r#"
summary = "Steps that wait"
topology = {{ preset = "direct", family = "ipv4" }}
connection.client.keepalive = {{ idle = "1s", interval = "1s", probes = 3 }}
step = [{steps}]
expect.client = {{ {expect} }}
"#
        ))
        .duration()
    }

    const PULL: &str = r#"{ do = "cable", at = "server", action = "pull", after = "0.5s" }"#;
    const PLUG: &str = r#"{ do = "cable", at = "server", action = "plug", after = "2.5s" }"#;

    #[test]
    fn of_an_error_is_all_steps_and_the_window() {
        assert_eq!(of(PULL, r#"error = "ETIMEDOUT""#), ms(500 + 4_128));
        let steps = format!("{PULL}, {PLUG}");
        let expect = r#"error = "ETIMEDOUT", within = "1s..2s""#;
        assert_eq!(of(&steps, expect), ms(500 + 2_500 + 2_000));
    }

    #[test]
    fn of_a_survivor_counts_from_the_fault() {
        let steps = format!("{PULL}, {PLUG}");
        assert_eq!(of(&steps, r#"survives = "4s""#), ms(500 + 4_000));
        assert_eq!(of(&steps, r#"survives = "1s""#), ms(500 + 2_500));
        let calm = r#"{ do = "exchange", after = "0.7s" }"#;
        assert_eq!(of(calm, r#"survives = "1s""#), ms(1_700));
    }

    #[test]
    fn of_a_step_that_waits_for_probes_is_that_of_the_longest_periods() {
        let when =
            r#"{ do = "cable", at = "server", action = "pull", when = "2 probes answered" }"#;
        // Each second late by a bucket of the wheel, twice: when the probe is due, and when the timer looks at its answer.
        let wait = ms(2 * (1_000 + 32 + 32));
        assert_eq!(of(when, r#"survives = "1s""#), wait + ms(1_000));
    }
}
