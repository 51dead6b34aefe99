use indicatif::InMemoryTerm;

use super::*;
use crate::model::End;
use crate::outcome::Mismatch;
use crate::testing::{Line, MS, client, crashed, observed};

fn labels(kernel: Option<&str>, repeat: u32) -> Labels {
    let one = |number| std::num::NonZeroU32::new(number).unwrap();
    Labels {
        kernel: kernel.map(str::to_owned),
        phases: one(1),
        repeat: one(repeat),
    }
}

fn result(prepared: &Arc<Prepared>, verdict: Verdict) -> CaseResult {
    CaseResult {
        prepared: Arc::clone(prepared),
        verdict,
        observation: None,
        elapsed: Duration::ZERO,
        guest_time: None,
        phase: Duration::ZERO,
    }
}

#[test]
fn a_case_that_found_no_room_gets_a_bar_when_another_ends() {
    let prepared = Arc::new(crashed(r#"error = "ETIMEDOUT""#));
    let mut progress = Progress::new(Form::Bars, 4, false, labels(None, 1), 80);
    progress.room = 2;
    let mut show = |event| {
        progress.show(&mut io::sink(), &event).unwrap();
        let shown = progress.running.iter().filter(|case| case.bar.is_some());
        shown.map(|case| case.position).collect::<Vec<_>>()
    };
    let finished =
        |position| Event::Finished(position, Box::new(result(&prepared, Verdict::Passed)));
    for position in 0..4 {
        show(Event::Started(position, Arc::clone(&prepared)));
    }
    // This one ends before it ever had a bar.
    assert_eq!(show(finished(2)), [0, 1]);
    assert_eq!(show(finished(0)), [1, 3]);
    assert_eq!(show(finished(1)), [3]);
}

/// Bars on a terminal of that width, the total above.
fn on_terminal(width: u16) -> (Progress, InMemoryTerm) {
    let terminal = InMemoryTerm::new(12, width);
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let mut progress = Progress::new(Form::Bars, 3, false, labels(None, 1), 80);
    progress.width = width.into();
    progress.bars.set_draw_target(target);
    progress.total.set_style(total_style(width.into()));
    (progress, terminal)
}

fn named(name: &str) -> Arc<Prepared> {
    let mut prepared = crashed(r#"error = "ETIMEDOUT""#);
    prepared.case.id.0 = name.to_owned();
    Arc::new(prepared)
}

fn failed() -> Verdict {
    let mismatch = |expected: &str| Mismatch {
        end: Some(End::Client),
        expected: expected.to_owned(),
        because: "line 3".to_owned(),
        observed: "ETIMEDOUT 4.099s after the fault".to_owned(),
    };
    Verdict::Failed(vec![mismatch("ECONNRESET"), mismatch("3 probes sent")])
}

#[test]
fn a_failure_stands_above_the_bars_which_fit_the_terminal() {
    const LONG: &str = "count-or-user-timeout/a-name-that-is-rather-long/dual-ipv6";
    for width in [60, 80, 120] {
        let (mut progress, terminal) = on_terminal(width);
        let (short, long) = (named("crashed/idle/ipv4"), named(LONG));
        let mut show = |event| progress.show(&mut io::sink(), &event).unwrap();
        for (position, case) in [&short, &long, &short].into_iter().enumerate() {
            show(Event::Started(position, Arc::clone(case)));
        }
        let finished =
            |position, case, verdict| Event::Finished(position, Box::new(result(case, verdict)));
        show(finished(0, &short, Verdict::Passed));
        show(finished(2, &short, failed()));
        progress.tick(&mut io::sink(), Instant::now()).unwrap();
        insta::assert_snapshot!(format!("bars-{width}"), terminal.contents());
    }
}

#[test]
fn lines_begin_with_the_verdict_and_fit_the_width() {
    let observed = crate::report::fixture::result(crate::report::fixture::crash());
    let warped = CaseResult {
        guest_time: Some(Duration::from_secs(7_200)),
        ..observed.clone()
    };
    let error = Verdict::Error("no memory\n  help: run fewer cases".to_owned());
    let results = [
        observed.clone(),
        warped,
        result(&observed.prepared, failed()),
        result(&observed.prepared, error),
    ];
    for width in [60, 80, 120] {
        let lines = results
            .iter()
            .map(|result| verdict_lines(result, &labels(None, 1), 0, width));
        let lines = anstream::adapter::strip_str(&lines.collect::<Vec<_>>().join("\n")).to_string();
        for line in lines.lines() {
            assert!(line.chars().count() <= width, "{lines}");
        }
        insta::assert_snapshot!(format!("lines-{width}"), lines);
    }
}

#[test]
fn a_line_of_several_runs_names_the_run_and_has_the_time_of_their_table() {
    let line = Line::established(-40 * MS).fails("ETIMEDOUT", 4_050 * MS);
    let result = CaseResult {
        observation: Some(observed(vec![client(vec![line])])),
        ..result(&named("test/ipv4"), Verdict::Passed)
    };
    let line = |labels| {
        let lines = verdict_lines(&result, &labels, 1, usize::MAX);
        anstream::adapter::strip_str(&lines).to_string()
    };
    insta::assert_snapshot!(line(labels(None, 1)), @"   pass test/ipv4  ETIMEDOUT 4.05s");
    insta::assert_snapshot!(line(labels(None, 5)), @"   pass test/ipv4 run 2 of 5  ETIMEDOUT 4.09s");
    insta::assert_snapshot!(line(labels(Some("linux-6.1"), 1)), @"   pass test/ipv4 on linux-6.1  ETIMEDOUT 4.09s");
}

#[test]
fn what_was_skipped_has_no_line() {
    let mut progress = Progress::new(Form::Lines, 1, false, labels(None, 1), 80);
    let skipped = result(&named("a/ipv4"), Verdict::Skipped("no netem".to_owned()));
    let mut out = Vec::new();
    progress
        .show(&mut out, &Event::Finished(0, Box::new(skipped)))
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "");
}

#[test]
fn every_half_minute_a_line_tells_that_the_run_goes_on() {
    let mut progress = Progress::new(Form::Lines, 3, false, labels(None, 1), usize::MAX);
    let case = named("crashed/idle/ipv4");
    for position in 0..2 {
        let event = Event::Started(position, Arc::clone(&case));
        progress.show(&mut io::sink(), &event).unwrap();
    }
    let begun = progress.begun;
    progress.running[0].begun = begun;
    progress.running[1].begun = begun;
    let mut at = |seconds| {
        let mut out = Vec::new();
        progress
            .tick(&mut out, begun + Duration::from_secs(seconds))
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(at(29), "");
    insta::assert_snapshot!(at(30), @"        after 30s: 0 of 3 done, 2 running; the longest is crashed/idle/ipv4, running for 30s of at most 4.128s");
    assert_eq!(at(59), "");
    insta::assert_snapshot!(at(61), @"        after 61s: 0 of 3 done, 2 running; the longest is crashed/idle/ipv4, running for 61s of at most 4.128s");
}
