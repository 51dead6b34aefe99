//! What is shown while cases run: bars on a terminal, a line for each verdict elsewhere.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{summary, table};
use crate::outcome::{CaseResult, Event};
use crate::prepare::Prepared;
use crate::text;

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
    /// By their place in the run's list.
    running: HashMap<usize, ProgressBar>,
    /// More bars than this do not fit on the terminal.
    room: usize,
    /// The guests' time in all; `None` where cases take as long as the clock on the wall says, so that each has a bar.
    warp: Option<Duration>,
}

impl Progress {
    /// For a run of `count` cases, in virtual time or not.
    #[must_use]
    pub fn new(form: Form, count: usize, warp: bool) -> Self {
        let target = match form {
            Form::Bars => ProgressDrawTarget::stderr(),
            Form::Lines | Form::Silent => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(
            ProgressBar::new(count as u64)
                .with_style(style("{bar:30} {pos}/{len} cases  {elapsed}  {msg}")),
        );
        let rows = usize::from(console::Term::stderr().size().0);
        Self {
            form,
            bars,
            total,
            running: HashMap::new(),
            room: rows.saturating_sub(2).max(1),
            warp: warp.then_some(Duration::ZERO),
        }
    }

    /// Takes one event into account.
    ///
    /// # Errors
    /// What writing a line returns.
    pub fn show(&mut self, out: &mut dyn Write, event: &Event) -> io::Result<()> {
        match (self.form, event) {
            (Form::Bars, Event::Started(position, prepared)) => self.start(*position, prepared),
            (Form::Bars, Event::Finished(position, result)) => self.finish(*position, result),
            (Form::Lines, Event::Finished(_, result)) => write_line(out, result)?,
            (Form::Lines, Event::Started(..)) | (Form::Silent, _) => {}
        }
        Ok(())
    }

    fn start(&mut self, position: usize, prepared: &Prepared) {
        if self.warp.is_some() || self.running.len() >= self.room {
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
        self.running.insert(position, bar);
    }

    fn finish(&mut self, position: usize, result: &CaseResult) {
        if let Some(bar) = self.running.remove(&position) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        if let Some(warp) = &mut self.warp {
            *warp += result.guest_time.unwrap_or_default();
            self.total
                .set_message(text::warp(*warp, self.total.elapsed()));
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
    let warp = result
        .guest_time
        .map(|time| format!("  ({})", text::warp(time, result.elapsed)))
        .unwrap_or_default();
    writeln!(
        out,
        "{style}{word:>7}{style:#} {}  {}{warp}",
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
