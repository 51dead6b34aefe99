//! Tests every form of report with the same fixed results: a pass, a failure of each kind, and each
//! way in which a case gets no verdict.

mod several;

use std::sync::Arc;
use std::time::Duration;

use super::{evidence, matrix, plan, runs, summary, table};
use crate::judge::{judge, timed_out};
use crate::outcome::{
    BrokenStep, CaseResult, Cut, Descriptors, EndObservation, Observation, Verdict,
};
use crate::prepare::Prepared;
use crate::scenario::CaseId;
use crate::stall::Stall;
use crate::testing::{Line, MS, S, at, case, client, counters, crashed, observed, server};

fn judged(prepared: Prepared, observation: Observation) -> CaseResult {
    CaseResult {
        verdict: judge(&prepared, &observation),
        phase: Duration::ZERO,
        guest_time: None,
        prepared: Arc::new(prepared),
        observation: Some(observation),
        elapsed: Duration::from_millis(4_250),
    }
}

fn without_observation(verdict: Verdict) -> CaseResult {
    CaseResult {
        prepared: Arc::new(crashed(r#"error = "ETIMEDOUT""#)),
        phase: Duration::ZERO,
        guest_time: None,
        verdict,
        observation: None,
        elapsed: Duration::from_millis(310),
    }
}

/// Three unanswered probes, and then the error.
fn unanswered(nanos: i64) -> Line {
    let probes = [960 * MS, 1_990 * MS, 3_020 * MS];
    Line::established(-40 * MS)
        .probes(&probes)
        .fails("ETIMEDOUT", nanos)
}

fn passed() -> CaseResult {
    let expect = r#"error = "ETIMEDOUT", textbook = "EHOSTUNREACH", probes = { sent = 3, answered = 0 }, counters = { "TcpExt:TCPKeepAlive" = 3 }"#;
    let end = EndObservation {
        counters: counters(&[
            ("Ip:InReceives", 12),
            ("Tcp:OutRsts", 1),
            ("TcpExt:TCPKeepAlive", 3),
        ]),
        ..client(vec![unanswered(4_050 * MS)])
    };
    judged(crashed(expect), observed(vec![end]))
}

fn survived() -> CaseResult {
    let line = Line::established(-40 * MS).probe(960 * MS);
    let line = line.answered(961 * MS).exchanged(Ok(()));
    let expect = r#"survives = "2s", probes = { sent = 1, answered = 1 }"#;
    judged(crashed(expect), observed(vec![client(vec![line])]))
}

fn too_late() -> CaseResult {
    let stall = Stall {
        from: at(2 * S),
        until: at(2_020 * MS),
    };
    let observation = Observation {
        stalls: vec![stall],
        ..observed(vec![client(vec![unanswered(4_360 * MS)])])
    };
    judged(crashed(r#"error = "ETIMEDOUT""#), observation)
}

fn wrong_everywhere() -> CaseResult {
    let prepared = case(
        r#"
summary = "The cable is pulled"
topology = { preset = "switched", family = "ipv6" }
connection.count = 3
connection.client.keepalive = { idle = "1s", interval = "1s", probes = 3 }
connection.server.keepalive = { sysctl = {} }
step = [{ do = "exchange" }, { do = "cable", at = "server", action = "pull" }]
expect.client = { error = "ETIMEDOUT", probes = { sent = 3, at = ["1s", "2s"] }, descriptors = "returned" }
expect.server = { survives = "2s", counters = { "TcpExt:TCPKeepAlive" = "1.." } }
"#,
    );
    let reset = Line::established(0).probe(S).reset(S + MS);
    let lines = vec![
        unanswered(4_050 * MS),
        reset.clone().fails("ECONNRESET", S + 2 * MS),
        reset,
    ];
    let client = EndObservation {
        descriptors: Some(Descriptors {
            before: 0,
            open: 3,
            after: 1,
        }),
        ..client(lines)
    };
    let dead = || Line::established(0).exchanged(Err("no answer within 15 s"));
    let server = EndObservation {
        counters: counters(&[("TcpExt:TCPKeepAlive", 0)]),
        ..server(vec![dead(), dead(), Line::established(0).closes(3 * S)])
    };
    judged(prepared, observed(vec![client, server]))
}

fn broken() -> CaseResult {
    let cut_short = Some(Cut::Step(BrokenStep {
        line: 10,
        what: "exchange 5 bytes from client".to_owned(),
        error: "no answer within 15 s".to_owned(),
    }));
    let end = EndObservation {
        counters: counters(&[("TcpExt:TCPTimeouts", 6)]),
        ..client(vec![Line::established(-40 * MS).out(S, 5)])
    };
    let observation = Observation {
        cut_short,
        ..observed(vec![end])
    };
    judged(crashed(r#"error = "ETIMEDOUT""#), observation)
}

fn overdue() -> CaseResult {
    let observation = Observation {
        cut_short: Some(Cut::Timeout(Duration::from_secs(3))),
        ..observed(vec![client(vec![Line::established(0).probe(S)])])
    };
    judged(crashed(r#"error = "ETIMEDOUT""#), observation)
}

fn lost() -> CaseResult {
    let end = EndObservation {
        watched_until: at(2 * S),
        ..client(vec![])
    };
    judged(crashed(r#"survives = "2s""#), observed(vec![end]))
}

fn results() -> Vec<CaseResult> {
    let skipped = "this kernel has no bridge devices (CONFIG_BRIDGE)";
    let refused = "cannot create the network namespace of client: Operation not permitted";
    vec![
        passed(),
        survived(),
        too_late(),
        wrong_everywhere(),
        broken(),
        overdue(),
        lost(),
        without_observation(timed_out(Duration::from_secs(3))),
        without_observation(Verdict::Skipped(skipped.to_owned())),
        without_observation(Verdict::Error(refused.to_owned())),
        without_observation(Verdict::Stopped("interrupted".to_owned())),
    ]
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn the_table_has_a_line_for_each_end() {
    let mut out = anstream::StripStream::new(Vec::new());
    table::write(&mut out, &results(), usize::MAX).unwrap();
    snapshot("table", &String::from_utf8(out.into_inner()).unwrap());
}

/// As on terminals of these widths.
#[test]
fn the_table_fits_the_terminal() {
    for width in [60, 80, 120] {
        let text = written(|out| table::write(out, &results(), width));
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width), "{text}");
        snapshot(&format!("table-{width}"), &text);
    }
}

#[test]
fn a_row_has_the_verdict_of_its_own_end() {
    let prepared = case(
        r#"
summary = "One end is as expected and the other is not"
topology = { preset = "direct", family = "ipv4" }
connection.client.keepalive = { idle = "1s", interval = "1s", probes = 3 }
step = [{ do = "exchange" }, { do = "crash", host = "server" }]
expect.client = { error = "ECONNRESET", within = "1s..5s" }
expect.server = { open = "3s" }
"#,
    );
    let ends = vec![
        client(vec![unanswered(4_050 * MS)]),
        server(vec![Line::established(0)]),
    ];
    let result = judged(prepared, observed(ends));
    assert!(matches!(result.verdict, Verdict::Failed(_)), "{result:?}");
    let verdicts = |text: String| -> Vec<String> {
        let rows = text.lines().skip(2).map(str::split_whitespace);
        rows.filter_map(|mut words| words.next().map(str::to_owned))
            .collect()
    };
    let one = std::slice::from_ref(&result);
    let tables = [
        written(|out| table::write(out, one, usize::MAX)),
        written(|out| runs::write(out, one, usize::MAX)),
        written(|out| matrix::write(out, &[("6.1", one), ("7.2", one)], false, usize::MAX)),
    ];
    for table in tables {
        assert_eq!(verdicts(table), ["FAIL", "pass"]);
    }
}

#[test]
fn a_failure_tells_what_was_expected_why_and_what_came() {
    let failed: Vec<String> = results()
        .iter()
        .filter(|result| result.verdict != Verdict::Passed)
        .map(|result| evidence::failure(result).join("\n"))
        .collect();
    snapshot("failure", &failed.join("\n\n"));
}

#[test]
fn the_evidence_is_what_was_on_the_wire_and_what_was_counted() {
    let evidence = [passed(), survived()].map(|result| evidence::evidence(&result).join("\n"));
    snapshot("evidence", &evidence.join("\n\n"));
    assert_eq!(
        evidence::evidence(&without_observation(Verdict::Stopped(
            "interrupted".to_owned()
        ))),
        [""; 0]
    );
}

/// Another case with the same result.
fn renamed(result: CaseResult, name: &str) -> CaseResult {
    let mut prepared = (*result.prepared).clone();
    prepared.case.id = CaseId(name.to_owned());
    CaseResult {
        prepared: Arc::new(prepared),
        ..result
    }
}

fn closing(results: &[CaseResult], elapsed: Duration) -> String {
    summary::closing(&results.iter().collect::<Vec<_>>(), elapsed, elapsed / 2)
}

#[test]
fn the_closing_line_counts_each_verdict_that_there_is() {
    let elapsed = Duration::from_millis(5_100);
    let each = results().into_iter().enumerate();
    let each: Vec<CaseResult> = each
        .map(|(number, result)| renamed(result, &number.to_string()))
        .collect();
    insta::assert_snapshot!(
        closing(&each, elapsed),
        @"11 cases in 5.1s: 2 passed, 6 failed, 1 skipped, 1 could not be run, 1 stopped"
    );
    insta::assert_snapshot!(closing(&[passed()], elapsed), @"1 case in 5.1s: 1 passed");
}

#[test]
fn the_closing_line_tells_runs_from_cases() {
    let elapsed = Duration::from_millis(5_100);
    let results = [passed(), passed(), renamed(passed(), "other"), passed()];
    insta::assert_snapshot!(closing(&results, elapsed), @"4 runs of 2 cases in 5.1s: 4 passed");
}

/// Only the time of the runs in guests counts for the speed.
#[test]
fn the_closing_line_tells_how_fast_time_went_in_guests() {
    let warped = CaseResult {
        guest_time: Some(Duration::from_secs(7_995)),
        ..passed()
    };
    insta::assert_snapshot!(
        closing(&[warped], Duration::from_millis(260)),
        @"1 case in 0.26s: 1 passed; 2h 13m 15s of kernel time, 61500 times as fast"
    );
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    write(&mut out).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

#[test]
fn a_plan_tells_nat_repeated_writes_and_what_the_oracle_leaves_open() {
    let plan = |topology: &str, step: &str, outcome: &str| {
        let prepared = case(&format!(
            r#"
summary = "A plan"
topology = {{ family = "ipv6", {topology} }}
connection.client.keepalive = {{ idle = "1s", interval = "1s", probes = 2 }}
step = [{{ do = "exchange" }},
  {{ do = "send", after = "1s", bytes = 5, every = "2s", count = 10 }},
  {step} {{ do = "exchange" }}]
expect.client = {{ {outcome} }}
"#
        ));
        plan::lines(&prepared)
    };
    let nat = r#"preset = "routed", firewall = { nat = true }"#;
    let lines = plan(nat, "", r#"survives = "2s""#);
    assert!(
        lines[1..]
            .iter()
            .any(|line| line.contains("; nat: the server sees")),
        "{lines:?}"
    );
    let steps: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains(" step "))
        .collect();
    assert_eq!(
        steps,
        [
            "  step 1      exchange 11 bytes from client",
            "  step 2-11   after 1s: send 5 bytes from client, 10 times, every 2s",
            "  step 12     exchange 11 bytes from client",
        ]
    );
    let crashed = case(
        r#"
summary = "Which error it is depends on when the neighbour entry gives up"
topology = { preset = "switched", family = "ipv4" }
connection.server.user_timeout = "20s"
step = [{ do = "exchange" }, { do = "crash", host = "client" },
  { do = "send", from = "server", after = "7200s", bytes = 17 }]
expect.server = { error = "EHOSTUNREACH" }
"#,
    );
    let lines = plan::lines(&crashed);
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("  left open   which errno")),
        "{lines:?}"
    );
}

#[test]
fn what_was_skipped_is_told_by_its_reason_and_has_no_row() {
    let skipped = [without_observation(Verdict::Skipped(
        "no bridge".to_owned(),
    ))];
    let columns = [("6.1", &skipped[..]), ("7.2", &skipped[..])];
    assert_eq!(written(|out| table::write(out, &skipped, 80)), "");
    assert_eq!(written(|out| runs::write(out, &skipped, 80)), "");
    assert_eq!(written(|out| matrix::write(out, &columns, false, 80)), "");
}

#[test]
fn skips_are_told_once_for_each_reason() {
    let skipped = |name: &str, reason: &str| {
        let result = without_observation(Verdict::Skipped(reason.to_owned()));
        renamed(result, name)
    };
    let mut results = vec![passed(), skipped("one", "no bridge")];
    assert_eq!(
        summary::skips(&results, None, usize::MAX),
        ["skip 1 case: no bridge (one)"]
    );
    results.extend(["one", "two", "three", "four", "five"].map(|name| skipped(name, "too slow")));
    assert_eq!(
        summary::skips(&results, None, usize::MAX)[1],
        "skip 5 cases: too slow (one, two, three, four, and 1 more)"
    );
    results.push(skipped("one", "no bridge"));
    assert_eq!(
        summary::skips(&results, None, usize::MAX)[0],
        "skip 2 runs of 1 case: no bridge (one)"
    );
    for (width, expected) in [
        (50, "skip on native 5 cases: too slow (one, and 4 more)"),
        (49, "skip on native 5 cases: too slow"),
        (24, "skip on native 5 cases:\n  too slow"),
    ] {
        assert_eq!(summary::skips(&results, Some("native"), width)[1], expected);
    }
}
