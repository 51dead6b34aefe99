//! The progress of a run. On a terminal there is a bar for each running case, and above the bars
//! the cases that did not pass. Elsewhere there is a line for each verdict.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::row::{self, Row};
use super::table;
use crate::outcome::{CaseResult, Event, Verdict};
use crate::prepare::Prepared;
use crate::record::Labels;
use crate::text::{self, hang, seconds, shorten};

/// The interval of the lines that report that the run goes on, without bars.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The form of the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Moving bars.
    Bars,
    /// A line for each verdict.
    Lines,
    /// No progress.
    Silent,
}

/// A spinner with the reason for a wait before any case runs. Dropping it removes the spinner.
#[derive(Debug)]
pub(crate) struct Waiting(ProgressBar);

impl Waiting {
    /// Shows the spinner with this text.
    #[must_use]
    pub(crate) fn new(form: Form, what: String) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(form))
            .with_style(style("{spinner} {elapsed}  {wide_msg}"))
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

/// Shows the events of a run as they occur.
#[derive(Debug)]
pub(crate) struct Progress {
    form: Form,
    /// The maximum length of a line.
    width: usize,
    labels: Labels,
    bars: MultiProgress,
    total: ProgressBar,
    /// The running cases, in the order in which they began.
    running: Vec<Running>,
    /// The number of cases with a verdict, and of all cases.
    done: (usize, usize),
    begun: Instant,
    /// The time of the last heartbeat line.
    last_heartbeat: Instant,
    /// The maximum number of bars that fit on the terminal.
    room: usize,
    /// The total kernel time of the guests; `None` in real time. Only in real time does each case
    /// have a bar.
    warp: Option<Duration>,
}

/// A case that has begun.
#[derive(Debug)]
struct Running {
    /// Its index in the list of the run's cases.
    position: usize,
    prepared: Arc<Prepared>,
    begun: Instant,
    /// `None` while there is no room for a bar.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Returns the progress of a run of `count` cases. `warp` is set in virtual time. No line that
    /// is written is longer than `width`.
    #[must_use]
    pub(crate) fn new(form: Form, count: usize, warp: bool, labels: Labels, width: usize) -> Self {
        let (rows, columns) = console::Term::stderr().size();
        let width = match form {
            Form::Bars => columns.into(),
            Form::Lines | Form::Silent => width,
        };
        let bars = MultiProgress::with_draw_target(target(form));
        let total = ProgressBar::new(count as u64).with_style(total_style(width));
        let now = Instant::now();
        Self {
            form,
            width,
            labels,
            total: bars.add(total),
            bars,
            running: Vec::new(),
            done: (0, count),
            begun: now,
            last_heartbeat: now,
            room: usize::from(rows).saturating_sub(2).max(1),
            warp: warp.then_some(Duration::ZERO),
        }
    }

    /// Shows one event.
    ///
    /// # Errors
    /// The error of the writer.
    pub(crate) fn show(&mut self, out: &mut dyn Write, event: &Event) -> io::Result<()> {
        match event {
            Event::Started(position, prepared) => {
                self.running.push(Running {
                    position: *position,
                    prepared: Arc::clone(prepared),
                    begun: Instant::now(),
                    bar: None,
                });
                self.fill();
                Ok(())
            }
            Event::Finished(position, result) => {
                self.finish(*position, result);
                self.write_verdict(out, *position, result)
            }
        }
    }

    /// Writes the verdict of a case. With bars, a case that passed is shown only in the final
    /// table.
    fn write_verdict(
        &self,
        out: &mut dyn Write,
        position: usize,
        result: &CaseResult,
    ) -> io::Result<()> {
        let lines = || verdict_lines(result, &self.labels, position, self.width);
        match (self.form, &result.verdict) {
            // `summary::skips` reports all skipped cases together.
            (_, Verdict::Skipped(_)) | (Form::Silent, _) => Ok(()),
            (Form::Lines, _) => writeln!(out, "{}", lines()),
            (Form::Bars, Verdict::Failed(_) | Verdict::Undecided(_) | Verdict::Error(_)) => {
                self.bars.println(colored(&lines()))
            }
            (Form::Bars, Verdict::Passed | Verdict::Stopped(_)) => Ok(()),
        }
    }

    /// Gives bars to the cases without one, as long as there is room. In virtual time there are no
    /// bars, because a guest's time does not pass at the speed of the wall clock.
    fn fill(&mut self) {
        if self.form != Form::Bars || self.warp.is_some() {
            return;
        }
        let with_bar = self.running.iter().filter(|case| case.bar.is_some());
        let room = self.room.saturating_sub(with_bar.count());
        let waiting = self.running.iter_mut().filter(|case| case.bar.is_none());
        for case in waiting.take(room) {
            case.bar = Some(self.bars.add(case.new_bar(self.width)));
        }
    }

    fn finish(&mut self, position: usize, result: &CaseResult) {
        let place = (self.running.iter()).position(|case| case.position == position);
        let case = place.map(|place| self.running.remove(place));
        if let Some(bar) = case.and_then(|case| case.bar) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        self.fill();
        if let Some(warp) = &mut self.warp {
            *warp += result.guest_time.unwrap_or_default();
            self.total
                .set_message(text::warp(*warp, self.total.elapsed()));
        }
        self.done.0 += 1;
        self.total.inc(1);
    }

    /// Returns the interval at which to call [`Self::tick`].
    #[must_use]
    pub(crate) fn beat(&self) -> Duration {
        match self.form {
            Form::Bars => Duration::from_millis(100),
            Form::Lines | Form::Silent => Duration::from_secs(1),
        }
    }

    /// Updates every bar to the elapsed time. Without bars, writes every 30 s a line that the run
    /// goes on.
    ///
    /// # Errors
    /// The error of the writer.
    pub(crate) fn tick(&mut self, out: &mut dyn Write, now: Instant) -> io::Result<()> {
        match self.form {
            Form::Bars => {
                self.total.tick();
                self.running.iter().for_each(Running::move_bar);
            }
            Form::Lines if now.duration_since(self.last_heartbeat) >= HEARTBEAT => {
                self.last_heartbeat = now;
                writeln!(out, "{}", hang(&self.heartbeat(now), INDENT, self.width))?;
            }
            Form::Lines | Form::Silent => {}
        }
        Ok(())
    }

    /// Returns `after 30s: 3 of 12 done, 9 running; the longest is slow/far/ipv4, running for 30s
    /// of at most 62s`.
    fn heartbeat(&self, now: Instant) -> String {
        let whole = |time: Duration| seconds(Duration::from_secs(time.as_secs()));
        let (done, all) = self.done;
        let elapsed = whole(now.duration_since(self.begun));
        let running = self.running.len();
        let longest = (self.running.iter()).max_by_key(|case| case.prepared.duration());
        let longest = longest.map(|case| {
            let since = whole(now.duration_since(case.begun));
            let most = match self.warp {
                None => format!(" of at most {}", seconds(case.prepared.duration())),
                Some(_) => String::new(),
            };
            let name = &case.prepared.case.id;
            format!("; the longest is {name}, running for {since}{most}")
        });
        let longest = longest.unwrap_or_default();
        format!("        after {elapsed}: {done} of {all} done, {running} running{longest}")
    }

    /// Removes the bars.
    pub(crate) fn end(&self) {
        for bar in self.running.iter().filter_map(|case| case.bar.as_ref()) {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }
}

impl Running {
    fn new_bar(&self, width: usize) -> ProgressBar {
        let tenths = tenths(self.prepared.duration()).max(1);
        let (room, _) = bar_widths(width);
        let name = shorten(&self.prepared.case.id.0, room);
        ProgressBar::new(tenths)
            .with_style(bar_style(width))
            .with_prefix(name)
            .with_elapsed(self.begun.elapsed())
            .with_message(against(0, tenths))
    }

    fn move_bar(&self) {
        let Some(bar) = &self.bar else {
            return;
        };
        let (passed, expected) = (tenths(bar.elapsed()), bar.length().unwrap_or(0));
        bar.set_position(passed.min(expected));
        bar.set_message(against(passed, expected));
    }
}

fn target(form: Form) -> ProgressDrawTarget {
    match form {
        Form::Bars => ProgressDrawTarget::stderr(),
        Form::Lines | Form::Silent => ProgressDrawTarget::hidden(),
    }
}

/// Returns the text without its colors if standard error must not have colors.
fn colored(text: &str) -> String {
    match anstream::AutoStream::choice(&io::stderr()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

/// Returns the verdict, the case and the outcomes, and the reason if the case did not pass.
fn verdict_lines(result: &CaseResult, labels: &Labels, position: usize, width: usize) -> String {
    let (word, style) = table::verdict(&result.verdict);
    let rows = row::rows(result).into_iter();
    let ends = result.prepared.observed().zip(rows);
    let outcomes: Vec<String> = ends
        .map(
            |(
                (end, _),
                Row {
                    observed,
                    since_fault,
                    ..
                },
            )| {
                // With several runs, the table has the times from the origin of the window.
                let time = if labels.several() {
                    row::detection_span(result, end)
                } else {
                    since_fault
                };
                format!("{observed} {time}").trim().to_owned()
            },
        )
        .collect();
    let which = labels.of(position);
    let case = format!("{} {which}", result.prepared.case.id);
    let warp = result
        .guest_time
        .map(|time| format!("  ({})", text::warp(time, result.elapsed)))
        .unwrap_or_default();
    let (case, outcomes) = (case.trim_end(), outcomes.join(" / "));
    let line = format!("{style}{word:>7}{style:#} {case}  {outcomes}{warp}");
    let lines = std::iter::once(line).chain(reason(&result.verdict));
    let lines = lines.map(|line| hang(&line, INDENT, width));
    lines.collect::<Vec<_>>().join("\n")
}

/// The width of a verdict's word and a space.
const INDENT: usize = 8;

/// Returns the first mismatch, or the reason why there is no verdict; `None` if neither exists.
fn reason(verdict: &Verdict) -> Option<String> {
    let text = match verdict {
        Verdict::Failed(mismatches) => {
            let first = mismatches.first()?;
            let end = first.end.map(|end| format!("{end}: "));
            let end = end.unwrap_or_default();
            let more = match mismatches.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let (expected, observed) = (&first.expected, &first.observed);
            format!("{end}expected {expected}, observed {observed}{more}")
        }
        Verdict::Undecided(undecided) => {
            let first = undecided.disturbances.first()?;
            let more = match undecided.disturbances.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            format!("{first}{more}")
        }
        Verdict::Error(reason) => reason.lines().next()?.to_owned(),
        Verdict::Passed | Verdict::Skipped(_) | Verdict::Stopped(_) => return None,
    };
    Some(format!("{:INDENT$}{text}", ""))
}

/// The width of the times of a bar: `12.3s of 3600.0s`.
const TIMES: usize = 18;

/// Returns the widths of a case's name and of its bar, for a line that is shorter than `width`.
fn bar_widths(width: usize) -> (usize, usize) {
    const SPACES: usize = 4;
    let both = width.saturating_sub(1 + SPACES + TIMES);
    let bar = (both / 3).min(30);
    ((both - bar).clamp(1, 60), bar.max(1))
}

fn bar_style(width: usize) -> ProgressStyle {
    let (name, bar) = bar_widths(width);
    style(&format!(
        "{{spinner}} {{prefix:{name}}} {{bar:{bar}}} {{msg}}"
    ))
}

fn total_style(width: usize) -> ProgressStyle {
    let bar = (width / 4).clamp(1, 30);
    style(&format!(
        "{{bar:{bar}}} {{pos}}/{{len}} cases  {{elapsed}}  {{wide_msg}}"
    ))
}

fn tenths(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / 100).unwrap_or(u64::MAX)
}

/// Returns the elapsed and the expected time in words. Both are in tenths of a second.
fn against(elapsed: u64, expected: u64) -> String {
    let time = |tenths: u64| format!("{}.{}s", tenths / 10, tenths % 10);
    format!("{} of {}", time(elapsed), time(expected))
}

/// Returns the style of a template. The templates are constants; if one does not parse, the default
/// style of the crate is used.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests;
