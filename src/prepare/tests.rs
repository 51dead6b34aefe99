use std::path::Path;
use std::time::Duration;

use super::{Prepared, Window, WindowOrigin, prepare, warnings};
use crate::model::{End, Hz};
use crate::oracle::prediction::PredictedOutcome;
use crate::scenario;
use crate::scenario::FileDiagnostics;
use crate::testing::{case, crash, crashed};

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

    /// A case in which the observed host itself crashes. The oracle has no rule for it.
    fn own_crash(expect: &str) -> Result<Vec<Prepared>, Vec<FileDiagnostics>> {
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
    fn errors_are_refused_once_for_all_cases() {
        let refused = own_crash(r#"error = "ETIMEDOUT""#).unwrap_err();
        assert_eq!(refused.len(), 1);
        insta::assert_snapshot!(refused[0].render(false), @r#"
        error: the oracle has no rule for the time of this error
         --> folder/own-crash.toml:8:9
          |
        8 | error = "ETIMEDOUT"
          |         ^^^^^^^^^^^ in own-crash/ipv4, own-crash/ipv6
          |
          = help: it has no rule for the step in line 5, `crash the client`; state the window: `within = "4s..4.5s"`
        "#);
    }

    #[test]
    fn errors_are_not_those_with_a_window_of_their_own() {
        let stated = own_crash("error = \"ETIMEDOUT\"\nwithin = \"4s..4.5s\"");
        assert_eq!(stated.unwrap().len(), 2);
    }

    #[test]
    fn errors_of_a_survivor_raise_the_question_whether_survival_is_meant() {
        let text = r#"
summary = "Nothing happens"
topology = { preset = "direct", family = "ipv4" }
step = [{ do = "exchange" }]
expect.client.error = "ETIMEDOUT"
"#;
        let scenario = scenario::parse(Path::new("calm.toml"), text).unwrap();
        let refused = prepare(vec![scenario], Hz::new(250).unwrap()).unwrap_err();
        insta::assert_snapshot!(refused[0].render(false), @r#"
        error: the oracle predicts that the client sees no error, so it has no window for ETIMEDOUT
         --> calm.toml:5:23
          |
        5 | expect.client.error = "ETIMEDOUT"
          |                       ^^^^^^^^^^^ in calm/ipv4
          |
          = help: did you mean `survives = "6s"`? if not, state the window: `within = "4s..4.5s"`; the oracle's rule: nothing is lost: every probe and every segment is answered
        "#);
    }

    #[test]
    fn errors_of_a_survivor_of_an_unrepaired_fault_raise_the_question_whether_open_is_meant() {
        let text = r#"
summary = "The server crashes, and no timer runs at the client"
topology = { preset = "direct", family = "ipv4" }
step = [{ do = "exchange" }, { do = "crash", host = "server" }]
expect.client.error = "ETIMEDOUT"
"#;
        let scenario = scenario::parse(Path::new("crashed.toml"), text).unwrap();
        let refused = prepare(vec![scenario], Hz::new(250).unwrap()).unwrap_err();
        let rendered = refused[0].render(false);
        assert!(
            rendered.contains("did you mean `open = \"6s\"`?"),
            "{rendered}"
        );
    }

    /// The diagnostics for an error that is expected at the server after this step, with keepalive
    /// at the client only.
    fn of_the_server(step: &str, expect: &str) -> String {
        let text = format!(
            r#"
summary = "The client has keepalive"
topology = {{ preset = "direct", family = "ipv4" }}
connection.client.keepalive = {{ idle = "1s", interval = "1s", probes = 3 }}
step = [{{ do = "exchange" }}, {step}]
expect.{expect}
"#
        );
        let scenario = scenario::parse(Path::new("idle.toml"), &text).unwrap();
        let refused = prepare(vec![scenario], Hz::new(250).unwrap()).unwrap_err();
        refused[0].render(false)
    }

    #[test]
    fn end_of_file_is_told_from_the_error_that_is_predicted() {
        let crash = r#"{ do = "crash", host = "server" }"#;
        insta::assert_snapshot!(of_the_server(crash, "client.eof = true"), @r#"
        error: the oracle predicts ETIMEDOUT (3.9s to 4.128s after zero time), not end of file
         --> idle.toml:6:21
          |
        6 | expect.client.eof = true
          |                     ^^^^ in idle/ipv4
          |
          = help: did you mean `error = "ETIMEDOUT"`? if not, state the window: `within = "4s..4.5s"`; the oracle's rule: keepalive: 3 unanswered probes, 1s apart, after 1s of silence (tcp_keepalive_timer); an ICMP error quotes snd_una-1 and is ignored (tcp_v4_err, tcp_v6_err)
        "#);
    }

    #[test]
    fn an_idle_end_without_keepalive_is_told_nothing() {
        let error = r#"server.error = "ETIMEDOUT""#;
        let untold = "the server has no keepalive and nothing in flight, so it detects nothing";
        let own = of_the_server(r#"{ do = "crash", host = "server" }"#, error);
        insta::assert_snapshot!(own, @r#"
        error: the server has no keepalive and nothing in flight, so it detects nothing
         --> idle.toml:6:23
          |
        6 | expect.server.error = "ETIMEDOUT"
          |                       ^^^^^^^^^^^ in idle/ipv4
          |
          = help: did you mean `[expect.client]`, or `keepalive` in `[connection.server]`? if not, state the window: `within = "4s..4.5s"`
        "#);
        for fault in [
            r#"{ do = "crash", host = "client" }"#,
            r#"{ do = "cable", at = "server", action = "pull" }"#,
        ] {
            let said = of_the_server(fault, error);
            assert!(said.contains(untold), "{said}");
        }
        for told in [
            r#"{ do = "process", at = "client", action = "kill" }"#,
            r#"{ do = "crash", host = "server" }, { do = "send", from = "server" }"#,
            r#"{ do = "reboot", host = "server", downtime = "1s" }"#,
        ] {
            let said = of_the_server(told, error);
            assert!(!said.contains(untold), "{said}");
        }
    }

    #[test]
    fn survival_needs_no_window() {
        assert!(own_crash(r#"survives = "2s""#).is_ok());
    }
}

mod warning {
    use super::*;

    /// The messages, each with the text of the file that it marks.
    fn of(text: &str) -> Vec<String> {
        let scenarios = [scenario::parse(Path::new("test.toml"), text).unwrap()];
        let cases = prepare(scenarios.to_vec(), Hz::new(250).unwrap()).unwrap();
        let files = warnings(&cases, &scenarios);
        let diagnostics = files.iter().flat_map(|file| &file.diagnostics);
        let shown = diagnostics.map(|diagnostic| {
            let underlined = &text[diagnostic.span.clone().unwrap()];
            format!("{underlined}: {}", diagnostic.message)
        });
        shown.collect()
    }

    fn of_crash(expect: &str) -> Vec<String> {
        of(&crash(expect))
    }

    #[test]
    fn is_none_where_file_and_oracle_agree() {
        for expect in [
            r#"error = "ETIMEDOUT""#,
            r#"error = "ETIMEDOUT", within = "3s..4s""#,
            r#"error = "ETIMEDOUT", within = "4.17s..5s""#,
            r#"error = "ETIMEDOUT", within = "3s..4s", since = "activity""#,
            r#"open = "3.8s""#,
        ] {
            assert_eq!(of_crash(expect), [""; 0], "{expect}");
        }
    }

    #[test]
    fn names_what_keeps_an_end_from_proving_that_it_survives() {
        assert_eq!(
            of_crash(r#"survives = "3.8s""#),
            [
                r#""3.8s": no exchange of the client can succeed at the end: no step repairs the fault of line 11 (crash the server)"#
            ]
        );
        let repaired = format!(
            "{}\n[[step]]\ndo = \"resume\"\nhost = \"server\"\n",
            crash(r#"survives = "3.8s""#)
        );
        assert_eq!(of(&repaired), [""; 0]);
    }

    #[test]
    fn names_the_other_error() {
        assert_eq!(
            of_crash(r#"error = "ECONNRESET""#),
            [r#""ECONNRESET": the oracle predicts ETIMEDOUT"#]
        );
    }

    #[test]
    fn names_the_time_of_the_end_of_what_is_to_survive() {
        assert_eq!(
            of_crash(r#"survives = "4s""#),
            [
                r#""4s": the oracle predicts ETIMEDOUT 3.9s to 4.128s after zero time, before this time is over"#
            ]
        );
    }

    #[test]
    fn names_the_window_that_the_stated_one_does_not_meet() {
        let outside =
            "the oracle predicts the error 3.9s to 4.128s after zero time, outside of this window";
        for stated in ["1s..3.5s", "4.2s..9s"] {
            let expect = format!(r#"error = "ETIMEDOUT", within = "{stated}""#);
            assert_eq!(of_crash(&expect), [format!("\"{stated}\": {outside}")]);
        }
        assert_eq!(
            of_crash(r#"error = "ETIMEDOUT", within = "1s..3.95s", since = "activity""#),
            [
                r#""1s..3.95s": the oracle predicts the error 4s to 4.128s after the last activity, outside of this window"#
            ]
        );
    }

    #[test]
    fn says_that_a_survivor_has_no_error() {
        let calm = r#"
summary = "Nothing happens"
topology = { preset = "direct", family = "ipv4" }
step = [{ do = "exchange" }]
expect.client = { error = "ETIMEDOUT", within = "1s..2s" }
"#;
        assert_eq!(
            of(calm),
            [r#""ETIMEDOUT": the oracle predicts that the client sees no error"#]
        );
    }

    #[test]
    fn is_silent_where_the_time_from_the_fault_on_is_not_known() {
        // The server's probes arrive at the client, and each restarts the origin of its window.
        let one_way = r#"
summary = "Only the way to the server is broken"
topology = { preset = "routed", family = "ipv4" }
connection.client.keepalive = { idle = "1s", interval = "1s", probes = 3 }
connection.server.keepalive = { sysctl = {} }
step = [{ do = "exchange" }, { do = "route", on = "router", to = "server", action = "blackhole" }]
expect.client = { error = "ETIMEDOUT", within = "8s..9s" }
"#;
        assert!(case(one_way).prediction(End::Client).is_some());
        assert_eq!(of(one_way), [""; 0]);
    }

    #[test]
    fn counts_from_the_fault_where_the_window_counts_from_data() {
        let in_flight = |within: &str| {
            format!(
                r#"
summary = "Data is written half a second after the crash"
topology = {{ preset = "direct", family = "ipv4" }}
connection.client.user_timeout = "3s"
step = [{{ do = "exchange" }}, {{ do = "crash", host = "server" }}, {{ do = "send", after = "0.5s" }}]
expect.client = {{ error = "ETIMEDOUT", within = "{within}" }}
"#
            )
        };
        assert_eq!(of(&in_flight("3.5s..4.3s")), [""; 0]);
        assert_eq!(of(&in_flight("1s..3.2s")).len(), 1);
    }

    #[test]
    fn is_none_for_what_ships() {
        let (scenarios, _) = crate::shipped::scenarios();
        for hz in [100, 250, 300, 1000] {
            let cases = prepare(scenarios.clone(), Hz::new(hz).unwrap()).unwrap();
            assert_eq!(warnings(&cases, &scenarios), []);
        }
    }

    #[test]
    fn names_settings_of_keepalive_where_it_is_off() {
        let set = |keepalive: &str| {
            format!(
                r#"
summary = "Settings of keepalive"
topology = {{ preset = "direct", family = "ipv4" }}
connection.client.sysctl = {{ "net.ipv4.tcp_keepalive_time" = 5, "net.ipv4.tcp_keepalive_probes" = 3 }}
{keepalive}
step = [{{ do = "exchange" }}]
expect.client.survives = "2s"
"#
            )
        };
        let warned = |text: &str| {
            let scenarios = [scenario::parse(Path::new("off.toml"), text).unwrap()];
            let cases = prepare(scenarios.to_vec(), Hz::new(250).unwrap()).unwrap();
            let files = warnings(&cases, &scenarios);
            let rendered = files.iter().map(|file| file.render(false));
            rendered.collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(warned(&set("")), @r#"
        warning: `connection.client.sysctl` sets net.ipv4.tcp_keepalive_probes, net.ipv4.tcp_keepalive_time, but SO_KEEPALIVE is off at the client
        --> off.toml
         = help: write `keepalive = { sysctl = { probes = 3, time = "5s" } }` in `[connection.client]`
        "#);
        assert_eq!(
            warned(&set("connection.client.keepalive = { idle = '30s' }")),
            ""
        );
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
        // Each period of 1 s is late by one bucket of the timer wheel twice: when the probe is due,
        // and when the timer checks the answer.
        let wait = ms(2 * (1_000 + 32 + 32));
        assert_eq!(of(when, r#"survives = "1s""#), wait + ms(1_000));
    }
}
