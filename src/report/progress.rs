//! What is shown while cases run: bars on a terminal with what did not pass above them, a line for
//! each verdict elsewhere.

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

/// How often a line tells that the run goes on, where nothing moves.
const HEARTBEAT: Duration = Duration::from_secs(30);

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

/// Shows events as they come.
#[derive(Debug)]
pub struct Progress {
    form: Form,
    /// No line is longer.
    width: usize,
    labels: Labels,
    bars: MultiProgress,
    total: ProgressBar,
    /// In the order in which they began.
    running: Vec<Running>,
    /// How many of how many have come to their verdict.
    done: (usize, usize),
    begun: Instant,
    /// When a line last told that the run goes on.
    told: Instant,
    /// More bars than this do not fit on the terminal.
    room: usize,
    /// The guests' time in all; `None` where cases take as long as the clock on the wall says, so
    /// that each has a bar.
    warp: Option<Duration>,
}

/// A case that has begun.
#[derive(Debug)]
struct Running {
    /// Its place in the run's list.
    position: usize,
    prepared: Arc<Prepared>,
    begun: Instant,
    /// `None` as long as there is no room for it.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For a run of `count` cases, in virtual time or not. Lines that are written are no longer
    /// than `width`.
    #[must_use]
    pub fn new(form: Form, count: usize, warp: bool, labels: Labels, width: usize) -> Self {
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
            told: now,
            room: usize::from(rows).saturating_sub(2).max(1),
            warp: warp.then_some(Duration::ZERO),
        }
    }

    /// Takes one event into account.
    ///
    /// # Errors
    /// What writing a line returns.
    pub fn show(&mut self, out: &mut dyn Write, event: &Event) -> io::Result<()> {
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
                self.tell(out, *position, result)
            }
        }
    }

    /// On a terminal, what passed is seen in the table.
    fn tell(&self, out: &mut dyn Write, position: usize, result: &CaseResult) -> io::Result<()> {
        let lines = || told(result, &self.labels, position, self.width);
        match (self.form, &result.verdict) {
            // Those are told together.
            (_, Verdict::Skipped(_)) | (Form::Silent, _) => Ok(()),
            (Form::Lines, _) => writeln!(out, "{}", lines()),
            (Form::Bars, Verdict::Failed(_) | Verdict::Undecided(_) | Verdict::Error(_)) => {
                self.bars.println(colored(&lines()))
            }
            (Form::Bars, Verdict::Passed | Verdict::Stopped(_)) => Ok(()),
        }
    }

    /// Gives bars to those that wait for one, as long as there is room. A guest's time does not
    /// pass as the clock on the wall's does, so that its case has none.
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

    /// How often to call [`Self::tick`].
    #[must_use]
    pub fn beat(&self) -> Duration {
        match self.form {
            Form::Bars => Duration::from_millis(100),
            Form::Lines | Form::Silent => Duration::from_secs(1),
        }
    }

    /// Moves every bar to the time that has passed; where there are none, tells every 30 s that the
    /// run goes on.
    ///
    /// # Errors
    /// What writing a line returns.
    pub fn tick(&mut self, out: &mut dyn Write, now: Instant) -> io::Result<()> {
        match self.form {
            Form::Bars => {
                self.total.tick();
                self.running.iter().for_each(Running::move_bar);
            }
            Form::Lines if now.duration_since(self.told) >= HEARTBEAT => {
                self.told = now;
                writeln!(out, "{}", hang(&self.heartbeat(now), INDENT, self.width))?;
            }
            Form::Lines | Form::Silent => {}
        }
        Ok(())
    }

    /// `after 30s: 3 of 12 done, 9 under way; the longest is slow/far/ipv4, since 30s of at most
    /// 62s`.
    fn heartbeat(&self, now: Instant) -> String {
        let whole = |time: Duration| seconds(Duration::from_secs(time.as_secs()));
        let (done, all) = self.done;
        let elapsed = whole(now.duration_since(self.begun));
        let under_way = self.running.len();
        let longest = (self.running.iter()).max_by_key(|case| case.prepared.duration());
        let longest = longest.map(|case| {
            let since = whole(now.duration_since(case.begun));
            let most = match self.warp {
                None => format!(" of at most {}", seconds(case.prepared.duration())),
                Some(_) => String::new(),
            };
            let name = &case.prepared.case.id;
            format!("; the longest is {name}, since {since}{most}")
        });
        let longest = longest.unwrap_or_default();
        format!("        after {elapsed}: {done} of {all} done, {under_way} under way{longest}")
    }

    /// Clears the bars away.
    pub fn end(&self) {
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

/// With the colors that standard error should have.
fn colored(text: &str) -> String {
    match anstream::AutoStream::choice(&io::stderr()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

/// The verdict, the case and what came, and why it is no pass.
fn told(result: &CaseResult, labels: &Labels, position: usize, width: usize) -> String {
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
                // Of several runs the table has the times from where the window counts.
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

/// As wide as a verdict's word, and a space.
const INDENT: usize = 8;

/// The first of what did not come as expected, or why there is no verdict.
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

/// `12.3s of 3600.0s`.
const TIMES: usize = 18;

/// How wide a case's name and its bar are, where a line must be shorter than `width`.
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
mod tests;
