//! The timeline of a case: the packets between the two hosts, the steps, the timers of the sockets,
//! and the results that the applications got. The format follows tcpdump(8) and `ss -o`.

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

/// The source of a line. In virtual time many events have the same timestamp. Then the order of the
/// variants is the order of the lines: an action comes before its effects, and the state of the
/// kernel and the results of the application come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// A step, or a write of an application.
    Action,
    /// A packet.
    Wire,
    /// The state of the kernel: timers, neighbours, routes, drops.
    Kernel,
    /// The result of an application's read.
    Result,
}

/// The picture between the client's line and the server's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lanes {
    /// No packet, and not an event of one host alone.
    Still,
    /// A packet left one host and reached the other.
    ToServer,
    ToClient,
    /// A packet left one host and did not reach the other.
    FromClientLost,
    FromServerLost,
    /// A packet left for a machine between the hosts.
    FromClientToRouter,
    FromServerToRouter,
    /// A packet came from a machine between the hosts.
    FromRouterToClient,
    FromRouterToServer,
    /// A packet reached a host that was silent.
    ToServerUnheard,
    ToClientUnheard,
    /// An event of one host alone.
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

/// The style of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    /// A keepalive probe or its answer.
    Probe,
    /// An ICMP error, a RST or a retransmission.
    Trouble,
    /// A step, or a write or the result of an application.
    Bold,
    /// The state of the kernel: timers, neighbours, routes.
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

/// The maximum number of lines. The middle of a longer timeline is left out.
const MOST: usize = 160;

/// Writes the timeline of a case; nothing if the case has no observation.
///
/// # Errors
/// The error of the writer.
pub(crate) fn write(out: &mut dyn Write, result: &CaseResult) -> io::Result<()> {
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

/// Returns all lines about the first connection and its network, in order of time.
fn lines(result: &CaseResult, observation: &Observation) -> Vec<Line> {
    let mut lines = transit::lines(&result.prepared, observation, CLIENT_PORT);
    lines.extend(event::lines(observation, CLIENT_PORT));
    lines.sort_by_key(|line| (line.at, line.source));
    lines
}

/// Returns the meanings of the signs between the hosts' lines.
fn legend(routers: usize) -> [(char, &'static str); 4] {
    let router = match routers {
        ..=1 => "o: the router",
        _ => "o: a router",
    };
    [
        ('*', "*: an event at one host"),
        ('x', "x: lost in transit"),
        ('o', router),
        ('z', "z: the host was silent and ignored it"),
    ]
}

/// Returns the notes below the timeline: the legend, the number of connections, and the number of
/// frames that were not kept.
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
