//! The cells for one end of a case.

use std::fmt;

use deadpeer::model::{Connection, CounterName, End, EndSettings, ExpectedTimer};
use deadpeer::outcome::{CaseResult, EndObservation, Observation, Verdict};
use deadpeer::prepare::Prepared;
use deadpeer::report::{plan, row};
use deadpeer::setting;
use deadpeer::step::{Start, Step};
use deadpeer::text;

/// The cells of a row, except for the case and its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    settings: String,
    steps: String,
    expected: String,
    observed: String,
    after: String,
    timer: String,
    why: String,
}

impl Row {
    fn cells(&self) -> [&str; 7] {
        [
            &self.settings,
            &self.steps,
            &self.expected,
            &self.observed,
            &self.after,
            &self.timer,
            &self.why,
        ]
    }

    /// Merges the rows of a case over IPv4 and over IPv6: a cell has both values if they differ. If
    /// the families observe different ends, each keeps its own rows.
    pub(crate) fn of_families(families: Vec<Vec<Self>>) -> Vec<Self> {
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
            settings: both(self.settings, &other.settings),
            steps: both(self.steps, &other.steps),
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

/// A row for each observed end.
pub(crate) fn rows(prepared: &Prepared, result: Option<&CaseResult>) -> Vec<Row> {
    let observed = result.map(row::rows).unwrap_or_default();
    let mut observed = observed.into_iter();
    let rows = prepared.observed().map(|(end, expectation)| {
        let note = prepared.case.note.as_deref();
        let rule = prepared.prediction(end).map(|said| said.rule.as_str());
        let why: Vec<&str> = note.into_iter().chain(rule).collect();
        let observed = observed.next().unwrap_or_default();
        let outcome = [Some(observed.observed), result.and_then(no_pass)];
        let outcome = outcome.into_iter().flatten();
        let outcome: Vec<String> = outcome.filter(|word| !word.is_empty()).collect();
        Row {
            settings: settings(&prepared.case.connection),
            steps: steps(&prepared.case.steps),
            expected: format!("{end}: {}", row::expected(expectation)),
            observed: outcome.join(", "),
            after: observed.since_fault,
            timer: result.map_or_else(String::new, |result| timer(result, end)),
            why: why.join("; "),
        }
    });
    rows.collect()
}

/// The verdict of a case that has not passed.
fn no_pass(result: &CaseResult) -> Option<String> {
    match &result.verdict {
        Verdict::Passed => None,
        Verdict::Skipped(why) => Some(format!("skipped: {why}")),
        Verdict::Failed(_) => Some("FAILED".to_owned()),
        Verdict::Undecided(undecided) => {
            let first = undecided.disturbances.first();
            first.map(|disturbance| format!("no verdict: {disturbance}"))
        }
        Verdict::Error(why) | Verdict::Stopped(why) => Some(format!("no verdict: {why}")),
    }
}

/// The timer that ended the connection of an end that was observed.
fn timer(result: &CaseResult, end: End) -> String {
    let Some(observation) = &result.observation else {
        return String::new();
    };
    let mut ends = observation.ends.iter();
    ends.find(|observed| observed.end == end)
        .map_or_else(String::new, |observed| gave_up(observation, observed))
}

/// The kernel counts the connections that a timer has ended (`tcp_write_err`). The last recorded
/// state of the socket contains the timer.
fn gave_up(observation: &Observation, observed: &EndObservation) -> String {
    let gave_up = CounterName("TcpExt:TCPAbortOnTimeout".to_owned());
    let ended = observed.connections.iter().any(|one| one.ended.is_some());
    if !ended || observed.rise(&gave_up).is_none_or(|rise| rise == 0) {
        return ExpectedTimer::None.to_string();
    }
    let last = observation.last_state(observed);
    last.and_then(|state| state.timer.as_ref())
        .map_or_else(|| "some".to_owned(), |timer| timer.kind.to_string())
}

/// The settings of each end that differ from the kernel's defaults.
fn settings(connection: &Connection) -> String {
    let words = [End::Client, End::Server].into_iter().filter_map(|end| {
        let settings = connection.end(end);
        let given = *settings != EndSettings::default();
        given.then(|| format!("{end}: {}", setting::describe(settings)))
    });
    words.collect::<Vec<_>>().join("<br>")
}

/// The steps in words. A repeated step is described once.
fn steps(steps: &[Step]) -> String {
    let groups = steps.chunk_by(|one, next| one.line == next.line && one.action == next.action);
    let words = groups.filter_map(|group| {
        let step = group.first()?;
        let times = match group.get(1).map(|again| again.start) {
            Some(Start::After(every)) => {
                format!(", {} times, {} apart", group.len(), text::seconds(every))
            }
            _ => String::new(),
        };
        Some(format!("{}{}{times}", plan::start(step.start), step))
    });
    words.collect::<Vec<_>>().join("; ")
}
