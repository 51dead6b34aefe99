//! What is shown while cases run: bars on a terminal, a line for each verdict elsewhere.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{summary, table};
use crate::outcome::{CaseResult, Event};
use crate::prepare::Prepared;
use crate::scenario::model::CaseId;
use crate::text::{plural, seconds};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Moving bars.
    Bars,
    /// A line for each verdict.
    Lines,
    /// Nothing.
    Silent,
}

/// Shows events as they come.
#[derive(Debug)]
pub struct Progress {
    form: Form,
    bars: MultiProgress,
    total: ProgressBar,
    running: HashMap<CaseId, ProgressBar>,
    /// More bars than this do not fit on the terminal.
    room: usize,
}

impl Progress {
    /// For a run of `count` cases.
    #[must_use]
    pub fn new(form: Form, count: usize) -> Self {
        let target = match form {
            Form::Bars => ProgressDrawTarget::stderr(),
            Form::Lines | Form::Silent => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(
            ProgressBar::new(count as u64)
                .with_style(style("{bar:30} {pos}/{len} cases  {elapsed}")),
        );
        let rows = usize::from(console::Term::stderr().size().0);
        Self {
            form,
            bars,
            total,
            running: HashMap::new(),
            room: rows.saturating_sub(2).max(1),
        }
    }

    /// Takes one event into account.
    ///
    /// # Errors
    /// What writing a line returns.
    pub fn show(&mut self, out: &mut dyn Write, event: &Event) -> io::Result<()> {
        match (self.form, event) {
            (Form::Bars, Event::Started(prepared)) => self.start(prepared),
            (Form::Bars, Event::Finished(result)) => self.finish(result),
            (Form::Lines, Event::Finished(result)) => write_line(out, result)?,
            (Form::Lines, Event::Started(_)) | (Form::Silent, _) => {}
        }
        Ok(())
    }

    fn start(&mut self, prepared: &Prepared) {
        if self.running.len() >= self.room {
            return;
        }
        let expected = prepared.duration();
        let tenths = u64::try_from(expected.as_millis() / 100)
            .unwrap_or(u64::MAX)
            .max(1);
        let bar = ProgressBar::new(tenths)
            .with_style(style("{spinner} {prefix:40!} {bar:30} {msg}"))
            .with_prefix(prepared.case.id.to_string())
            .with_message(against(0, tenths));
        let bar = self.bars.add(bar);
        self.running.insert(prepared.case.id.clone(), bar);
    }

    fn finish(&mut self, result: &CaseResult) {
        if let Some(bar) = self.running.remove(&result.prepared.case.id) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        self.total.inc(1);
    }

    /// Whether anything moves between events.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.form == Form::Bars
    }

    /// Moves every bar to the time that has passed.
    pub fn tick(&self) {
        for bar in self.running.values() {
            let tenths = u64::try_from(bar.elapsed().as_millis() / 100).unwrap_or(u64::MAX);
            let expected = bar.length().unwrap_or(0);
            bar.set_position(tenths.min(expected));
            bar.set_message(against(tenths, expected));
        }
    }

    /// Clears the bars away.
    pub fn end(&self) {
        for bar in self.running.values() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }
}

fn write_line(out: &mut dyn Write, result: &CaseResult) -> io::Result<()> {
    let (word, style) = table::verdict(&result.verdict);
    let outcomes: Vec<String> = summary::rows(result)
        .into_iter()
        .map(|row| {
            format!("{} {}", row.observed, row.since_fault)
                .trim_end()
                .to_owned()
        })
        .collect();
    writeln!(
        out,
        "{style}{word:>7}{style:#} {}  {}",
        result.prepared.case.id,
        outcomes.join(" / ")
    )
}

/// Elapsed time against the expected, both in tenths of a second.
fn against(elapsed: u64, expected: u64) -> String {
    let time = |tenths: u64| format!("{}.{}s", tenths / 10, tenths % 10);
    format!("{} of {}", time(elapsed), time(expected))
}

/// The templates are constants; one that does not parse falls back to the crate's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// `plural` of what a run counts, for the closing line.
#[must_use]
pub fn closing(results: &[CaseResult], elapsed: Duration) -> String {
    use crate::outcome::Verdict;
    let count = |matches: fn(&Verdict) -> bool| {
        results
            .iter()
            .filter(|result| matches(&result.verdict))
            .count()
    };
    let mut parts = vec![format!(
        "{} passed",
        count(|verdict| matches!(verdict, Verdict::Passed))
    )];
    let others = [
        (
            count(|verdict| matches!(verdict, Verdict::Failed(_))),
            "failed",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Skipped(_))),
            "skipped",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Error(_))),
            "could not be run",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Stopped(_))),
            "stopped",
        ),
    ];
    parts.extend(
        others
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}")),
    );
    format!(
        "{} in {}: {}",
        plural(results.len(), "case"),
        seconds(elapsed),
        parts.join(", ")
    )
}
