//! One end of one case as cells.

use std::fmt;

use crate::model::{Connection, CounterName, End, EndSettings, ExpectedTimer};
use crate::outcome::{CaseResult, EndObservation, Observation, Verdict};
use crate::prepare::{Prepared, WindowOrigin};
use crate::report::{plan, row};
use crate::step::{Start, Step};

/// The cells of a line, but for the case's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    set: String,
    done: String,
    expected: String,
    observed: String,
    after: String,
    timer: String,
    why: String,
}

impl Row {
    fn cells(&self) -> [&str; 7] {
        [
            &self.set,
            &self.done,
            &self.expected,
            &self.observed,
            &self.after,
            &self.timer,
            &self.why,
        ]
    }

    /// One line for what is the same case over IPv4 and over IPv6: cells that differ have both. Where they ask of different ends, each has its
    /// own lines.
    pub(super) fn of_families(families: Vec<Vec<Self>>) -> Vec<Self> {
        let merged = families.into_iter().reduce(|first, second| {
            if first.len() != second.len() {
                return [first, second].concat();
            }
            let pairs = first.into_iter().zip(second);
            pairs.map(|(first, second)| first.or(&second)).collect()
        });
        merged.unwrap_or_default()
    }

    fn or(self, other: &Self) -> Self {
        let both = |one: String, other: &str| {
            if one == other {
                one
            } else {
                format!("{one} / {other}")
            }
        };
        Self {
            set: both(self.set, &other.set),
            done: both(self.done, &other.done),
            expected: both(self.expected, &other.expected),
            observed: both(self.observed, &other.observed),
            after: both(self.after, &other.after),
            timer: both(self.timer, &other.timer),
            why: both(self.why, &other.why),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells().map(|cell| cell.replace('|', "\\|"));
        f.write_str(&cells.join(" | "))
    }
}

/// A row for each end that something is asked of.
pub(super) fn rows(prepared: &Prepared, result: Option<&CaseResult>) -> Vec<Row> {
    let rows = prepared.observed().map(|(end, expectation)| {
        let note = prepared.case.note.as_deref();
        let rule = prepared.prediction(end).map(|said| said.rule.as_str());
        let why: Vec<&str> = note.into_iter().chain(rule).collect();
        let came = result.map(|result| Came::of(result, end));
        let came = came.unwrap_or_default();
        Row {
            set: set(&prepared.case.connection),
            done: done(&prepared.case.steps),
            expected: format!("{end}: {}", row::expected(expectation)),
            observed: came.observed,
            after: came.after,
            timer: came.timer,
            why: why.join("; "),
        }
    });
    rows.collect()
}

/// What came of a run, for one end.
#[derive(Default)]
struct Came {
    observed: String,
    after: String,
    timer: String,
}

impl Came {
    fn of(result: &CaseResult, end: End) -> Self {
        let seen = result.observation.as_ref().and_then(|observation| {
            let seen = observation.ends.iter().find(|seen| seen.end == end)?;
            Some((observation, seen))
        });
        let failed = match &result.verdict {
            Verdict::Passed => None,
            Verdict::Skipped(why) => Some(format!("skipped: {why}")),
            Verdict::Failed(_) => Some("FAILED".to_owned()),
            Verdict::Undecided(undecided) => {
                let first = undecided.disturbances.first();
                first.map(|disturbance| format!("no verdict: {disturbance}"))
            }
            Verdict::Error(why) | Verdict::Stopped(why) => Some(format!("no verdict: {why}")),
        };
        let outcome = seen.map(|(_, seen)| row::observed(seen));
        let words: Vec<String> = outcome.into_iter().chain(failed).collect();
        let after = seen.and_then(|(observation, seen)| {
            let times = row::times_from(WindowOrigin::Fault, observation, seen);
            Some(row::span(*times.iter().min()?, *times.iter().max()?))
        });
        Self {
            observed: words.join(", "),
            after: after.unwrap_or_default(),
            timer: seen.map_or_else(String::new, |(observation, seen)| {
                gave_up(observation, seen)
            }),
        }
    }
}

/// Which timer ended the connection. The kernel counts that one did (`tcp_write_err`), and the last look at the socket tells which it was.
fn gave_up(observation: &Observation, seen: &EndObservation) -> String {
    let gave_up = CounterName("TcpExt:TCPAbortOnTimeout".to_owned());
    let ended = seen.connections.iter().any(|one| one.ended.is_some());
    if !ended || seen.rise(&gave_up).is_none_or(|rise| rise == 0) {
        return ExpectedTimer::None.to_string();
    }
    let last = observation.last_state(seen);
    last.and_then(|state| state.timer.as_ref())
        .map_or_else(|| "some".to_owned(), |timer| timer.kind.to_string())
}

/// What is set on each end; nothing where an end has nothing but the kernel's own.
fn set(connection: &Connection) -> String {
    let words = [End::Client, End::Server].into_iter().filter_map(|end| {
        let settings = connection.end(end);
        let given = *settings != EndSettings::default();
        given.then(|| format!("{end}: {}", plan::settings(settings)))
    });
    words.collect::<Vec<_>>().join("<br>")
}

/// The steps in words; those that are taken again and again are told once.
fn done(steps: &[Step]) -> String {
    let groups = steps.chunk_by(|one, next| one.line == next.line && one.action == next.action);
    let words = groups.filter_map(|group| {
        let step = group.first()?;
        let times = match group.get(1).map(|again| again.start) {
            Some(Start::After(every)) => {
                format!(
                    ", {} times, {} apart",
                    group.len(),
                    crate::text::seconds(every)
                )
            }
            _ => String::new(),
        };
        Some(format!("{}{}{times}", plan::start(step.start), step))
    });
    words.collect::<Vec<_>>().join("; ")
}
