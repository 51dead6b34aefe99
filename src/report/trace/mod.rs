//! One case as a timeline: what was on the wire between the two hosts, what was done to it, the
//! socket's timer, and what the application was told. In the manner of tcpdump(8) and `ss -o`.

mod event;
mod transit;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::model::{CLIENT_PORT, Moment};
use crate::outcome::{CaseResult, Observation};
use crate::report::words;
use crate::text::plural;

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    at: Moment,
    source: Source,
    lanes: Lanes,
    text: String,
    mark: Mark,
}

/// Where a line comes from. In virtual time much happens in one moment: what is done comes before
/// what comes of it, and last what the kernel says of itself, and to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Done,
    Wire,
    Kernel,
    Told,
}

/// What is drawn between the client's line and the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lanes {
    /// Nothing passes.
    Still,
    /// It left one host and reached the other.
    ToServer,
    ToClient,
    /// It left and was never seen again.
    FromClientLost,
    FromServerLost,
    /// It left for whoever is between the hosts.
    FromClientToRouter,
    FromServerToRouter,
    /// It came from whoever is between the hosts.
    FromRouterToClient,
    FromRouterToServer,
    /// It reached a host that was silent.
    ToServerUnheard,
    ToClientUnheard,
    /// It is about one host alone.
    AtClient,
    AtServer,
}

impl Lanes {
    fn draw(self) -> &'static str {
        match self {
            Self::Still => "|              |",
            Self::ToServer => "|------------->|",
            Self::ToClient => "|<-------------|",
            Self::FromClientLost => "|------x       |",
            Self::FromServerLost => "|       x------|",
            Self::FromClientToRouter => "|----->o       |",
            Self::FromServerToRouter => "|       o<-----|",
            Self::FromRouterToClient => "|<-----o       |",
            Self::FromRouterToServer => "|       o----->|",
            Self::ToServerUnheard => "|------------->z",
            Self::ToClientUnheard => "z<-------------|",
            Self::AtClient => "*              |",
            Self::AtServer => "|              *",
        }
    }
}

/// How a line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    /// A keepalive probe or its answer.
    Probe,
    /// An ICMP error, a RST, what was lost.
    Trouble,
    /// A step, or what the application does or is told.
    Bold,
    /// What the kernel says of itself: timers, neighbours, routes.
    Faint,
}

impl Mark {
    fn style(self) -> Style {
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Probe => color(AnsiColor::Cyan),
            Self::Trouble => color(AnsiColor::Red),
            Self::Bold => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// Longer timelines lose their middle.
const MOST: usize = 160;

/// Writes the timeline of a case; nothing where nothing was observed.
///
/// # Errors
/// What writing returns.
pub fn write(out: &mut dyn Write, result: &CaseResult) -> io::Result<()> {
    let Some(observation) = &result.observation else {
        return Ok(());
    };
    let bold = Style::new().bold();
    writeln!(out, "{bold}        time  client         server{bold:#}")?;
    let lines = lines(result, observation);
    let cut = lines.len().saturating_sub(MOST);
    for (position, line) in lines.iter().enumerate() {
        let middle = MOST / 2..MOST / 2 + cut;
        if cut > 0 && position == middle.start {
            writeln!(out, "{:>12}  {} more", "...", plural(cut, "line"))?;
        }
        if cut == 0 || !middle.contains(&position) {
            write_line(out, line, observation.zero)?;
        }
    }
    for note in notes(result, observation, &lines) {
        writeln!(out, "{:>12}  {note}", "")?;
    }
    Ok(())
}

fn write_line(out: &mut dyn Write, line: &Line, zero: Moment) -> io::Result<()> {
    let style = line.mark.style();
    writeln!(
        out,
        "{:>12}  {}  {style}{}{style:#}",
        words::time(line.at, zero),
        line.lanes.draw(),
        line.text
    )
}

/// Everything that happened to the first connection and around it, in order.
fn lines(result: &CaseResult, observation: &Observation) -> Vec<Line> {
    let mut lines = transit::lines(&result.prepared, observation, CLIENT_PORT);
    lines.extend(event::lines(observation, CLIENT_PORT));
    lines.sort_by_key(|line| (line.at, line.source));
    lines
}

/// What the signs between the hosts' lines mean, for those that are there.
fn legend(routers: usize) -> [(char, &'static str); 4] {
    let router = match routers {
        ..=1 => "o: the router",
        _ => "o: a router",
    };
    [
        ('*', "*: what a host itself does or is told"),
        ('x', "x: lost on the way"),
        ('o', router),
        ('z', "z: the host was silent and did not hear it"),
    ]
}

fn notes(result: &CaseResult, observation: &Observation, lines: &[Line]) -> Vec<String> {
    let legend = legend(result.prepared.network.routers().count());
    let there = |sign: char| lines.iter().any(|line| line.lanes.draw().contains(sign));
    let signs = legend.into_iter().filter(|(sign, _)| there(*sign));
    let signs: Vec<&str> = signs.map(|(_, meaning)| meaning).collect();
    let mut notes = Vec::new();
    if !signs.is_empty() {
        notes.push(signs.join("; "));
    }
    let count = observation
        .ends
        .iter()
        .map(|end| end.connections.len())
        .max();
    if let Some(count) = count.filter(|count| *count > 1) {
        notes.push(format!("the first of {}", plural(count, "connection")));
    }
    for capture in &observation.evidence.captures {
        if capture.frames.cut > 0 {
            notes.push(format!(
                "{}:{}: {} frames were not kept",
                capture.node, capture.interface, capture.frames.cut
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests;
