//! What is shown while cases run: bars on a terminal, a line for each verdict elsewhere.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{row, table};
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

/// Shows what is waited for before any case runs, as long as it lives.
#[derive(Debug)]
pub struct Waiting(ProgressBar);

impl Waiting {
    /// For this.
    #[must_use]
    pub fn new(form: Form, what: String) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(form))
            .with_style(style("{spinner} {msg}  {elapsed}"))
            .with_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows events as they come.
#[derive(Debug)]
pub struct Progress {
    form: Form,
    bars: MultiProgress,
    total: ProgressBar,
    /// By their place in the run's list.
    running: HashMap<usize, ProgressBar>,
    /// Running cases without a bar, in the order in which they began.
    waiting: VecDeque<Barless>,
    /// More bars than this do not fit on the terminal.
    room: usize,
    /// The guests' time in all; `None` where cases take as long as the clock on the wall says, so that each has a bar.
    warp: Option<Duration>,
}

/// A running case that has no bar yet.
#[derive(Debug)]
struct Barless {
    position: usize,
    prepared: Arc<Prepared>,
    begun: Instant,
}

impl Progress {
    /// For a run of `count` cases, in virtual time or not.
    #[must_use]
    pub fn new(form: Form, count: usize, warp: bool) -> Self {
        let bars = MultiProgress::with_draw_target(target(form));
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
            waiting: VecDeque::new(),
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
            // A guest's time does not pass as the clock on the wall's does.
            (Form::Bars, Event::Started(..)) if self.warp.is_some() => {}
            (Form::Bars, Event::Started(position, prepared)) => {
                self.waiting.push_back(Barless {
                    position: *position,
                    prepared: Arc::clone(prepared),
                    begun: Instant::now(),
                });
                self.fill();
            }
            (Form::Bars, Event::Finished(position, result)) => self.finish(*position, result),
            (Form::Lines, Event::Finished(_, result)) => write_line(out, result)?,
            (Form::Lines, Event::Started(..)) | (Form::Silent, _) => {}
        }
        Ok(())
    }

    /// Gives bars to those that wait for one, as long as there is room.
    fn fill(&mut self) {
        while self.running.len() < self.room {
            let Some(waiting) = self.waiting.pop_front() else {
                return;
            };
            self.start(&waiting);
        }
    }

    fn start(&mut self, case: &Barless) {
        let expected = case.prepared.duration();
        let tenths = u64::try_from(expected.as_millis() / 100)
            .unwrap_or(u64::MAX)
            .max(1);
        let bar = ProgressBar::new(tenths)
            .with_style(style("{spinner} {prefix:40!} {bar:30} {msg}"))
            .with_prefix(case.prepared.case.id.to_string())
            .with_elapsed(case.begun.elapsed())
            .with_message(against(0, tenths));
        let bar = self.bars.add(bar);
        self.running.insert(case.position, bar);
    }

    fn finish(&mut self, position: usize, result: &CaseResult) {
        self.waiting.retain(|waiting| waiting.position != position);
        if let Some(bar) = self.running.remove(&position) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        self.fill();
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
        self.total.tick();
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

fn target(form: Form) -> ProgressDrawTarget {
    match form {
        Form::Bars => ProgressDrawTarget::stderr(),
        Form::Lines | Form::Silent => ProgressDrawTarget::hidden(),
    }
}

fn write_line(out: &mut dyn Write, result: &CaseResult) -> io::Result<()> {
    let (word, style) = table::verdict(&result.verdict);
    let outcomes: Vec<String> = row::rows(result)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Verdict;
    use crate::testing::crashed;

    #[test]
    fn a_case_that_found_no_room_gets_a_bar_when_another_ends() {
        let prepared = Arc::new(crashed(r#"error = "ETIMEDOUT""#));
        let mut progress = Progress::new(Form::Bars, 4, false);
        progress.room = 2;
        let mut show = |event| {
            progress.show(&mut io::sink(), &event).unwrap();
            let mut shown: Vec<usize> = progress.running.keys().copied().collect();
            shown.sort_unstable();
            shown
        };
        let finished = |position| {
            let result = CaseResult {
                prepared: Arc::clone(&prepared),
                verdict: Verdict::Passed,
                observation: None,
                elapsed: Duration::ZERO,
                guest_time: None,
                phase: Duration::ZERO,
            };
            Event::Finished(position, Box::new(result))
        };
        for position in 0..4 {
            show(Event::Started(position, Arc::clone(&prepared)));
        }
        // This one ends before it ever had a bar.
        assert_eq!(show(finished(2)), [0, 1]);
        assert_eq!(show(finished(0)), [1, 3]);
        assert_eq!(show(finished(1)), [3]);
    }
}
