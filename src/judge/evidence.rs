//! What else was on the wire and in the kernel, against what the file asks for.

use std::net::IpAddr;

use super::Judging;
use crate::evidence::{SocketSample, SocketState};
use crate::model::{CountRange, ExpectedTimer, Family, IcmpKind, Moment, PollEvent, TcpState};
use crate::outcome::{ConnectionObservation, EndObservation, Mismatch};
use crate::text::seconds;
use crate::wire::{IcmpError, IcmpFate};

impl Judging<'_> {
    /// The first mismatch of each kind, if there is one.
    pub(super) fn evidence(&self) -> Vec<Mismatch> {
        let asked = &self.expectation.evidence;
        let mut found = vec![
            self.moments(
                ("retransmissions", "retransmissions"),
                asked.retransmissions,
                |connection| &connection.track.retransmissions,
            ),
            self.moments(("RST sent", "rst.sent"), asked.rst_sent, |connection| {
                &connection.track.rst_sent
            }),
            self.moments(
                ("RST received", "rst.received"),
                asked.rst_received,
                |connection| &connection.track.rst_received,
            ),
            self.of_host(
                ("ARP or NDP questions", "neighbours.solicited"),
                asked.solicited,
                |end| &end.neighbours.solicited,
            ),
            self.of_host(
                ("ARP or NDP answers", "neighbours.advertised"),
                asked.advertised,
                |end| &end.neighbours.answered,
            ),
            self.timer(),
            self.state(),
            self.poll(),
            self.next_write(),
            self.icmp_from(),
        ];
        let family = self.prepared.case.family;
        let of_family = asked.icmp.iter().filter(|(kind, _)| kind.family == family);
        found.extend(of_family.map(|(kind, range)| self.icmp(*kind, *range)));
        found.into_iter().flatten().collect()
    }

    /// All that poll(2) told as the outcome came.
    fn poll(&self) -> Option<Mismatch> {
        let asked = &self.expectation.poll;
        if asked.is_empty() {
            return None;
        }
        self.of_connections(|connection| {
            let told = &connection.poll;
            (told != asked).then(|| {
                let expected = format!("poll to tell {}", words(asked));
                self.mismatch(expected, self.line("poll"), words(told))
            })
        })
    }

    fn next_write(&self) -> Option<Mismatch> {
        let asked = self.expectation.next_write?;
        self.of_connections(|connection| {
            let said = connection.next_write;
            (said != Some(asked)).then(|| {
                let said = said.map_or("it was not tried".to_owned(), |said| said.to_string());
                self.mismatch(
                    format!("the next write: {asked}"),
                    self.line("next_write"),
                    said,
                )
            })
        })
    }

    /// Between zero time and the end of the watch.
    fn is_watched(&self, at: Moment) -> bool {
        at >= self.observation.zero && at <= self.end.watched_until
    }

    /// A count of moments against the range that a key asks for, with the moments.
    fn count(
        &self,
        (what, key): (&str, &str),
        range: CountRange,
        moments: &[Moment],
    ) -> Option<Mismatch> {
        let watched: Vec<Moment> = moments
            .iter()
            .copied()
            .filter(|at| self.is_watched(*at))
            .collect();
        if range.contains(watched.len() as u64) {
            return None;
        }
        let times: Vec<String> = watched
            .iter()
            .map(|at| seconds(at.since(self.observation.zero)))
            .collect();
        let at = if times.is_empty() {
            String::new()
        } else {
            format!(", at {}", times.join(", "))
        };
        let expected = format!("{range} {what} on the wire");
        Some(self.mismatch(expected, self.line(key), format!("{}{at}", watched.len())))
    }

    fn moments(
        &self,
        what: (&str, &str),
        asked: Option<CountRange>,
        moments: impl Fn(&ConnectionObservation) -> &Vec<Moment>,
    ) -> Option<Mismatch> {
        let range = asked?;
        self.of_connections(|connection| self.count(what, range, moments(connection)))
    }

    fn of_host(
        &self,
        what: (&str, &str),
        asked: Option<CountRange>,
        moments: impl Fn(&EndObservation) -> &Vec<Moment>,
    ) -> Option<Mismatch> {
        self.count(what, asked?, moments(self.end))
    }

    /// Whoever sent an ICMP error about a connection, it must have been this machine.
    fn icmp_from(&self) -> Option<Mismatch> {
        let expected = self.expectation.evidence.icmp_from?;
        let network = &self.prepared.network;
        self.of_connections(|connection| {
            let errors = connection.track.icmp.iter();
            let watched = errors.filter(|error| is_heard(error) && self.is_watched(error.at));
            let mut senders: Vec<_> = watched.map(|error| error.message.from).collect();
            senders.dedup();
            let is_other = |from: &IpAddr| network.owner(*from) != Some(expected);
            let other = senders.iter().find(|from| is_other(from));
            if !senders.is_empty() && other.is_none() {
                return None;
            }
            let observed = other.map_or("none".to_owned(), |from| match network.owner(*from) {
                Some(node) => format!("one from {node}"),
                None => format!("one from {from}"),
            });
            let expected = format!("ICMP errors from {expected}, and no other");
            Some(self.mismatch(expected, self.line("icmp.from"), observed))
        })
    }

    fn icmp(&self, kind: IcmpKind, range: CountRange) -> Option<Mismatch> {
        let is_this = |error: &&IcmpError| {
            let message = error.message;
            message.kind == (kind.kind, kind.code)
                && message.from.is_ipv6() == (kind.family == Family::Ipv6)
                && is_heard(error)
        };
        let what = format!("ICMP {kind}");
        self.of_connections(|connection| {
            let errors = connection.track.icmp.iter().filter(is_this);
            let moments: Vec<Moment> = errors.map(|error| error.at).collect();
            self.count((&what, "icmp"), range, &moments)
        })
    }

    /// The looks at the first connection of this end.
    fn samples(&self) -> impl DoubleEndedIterator<Item = &SocketSample> {
        self.observation.evidence.samples_of_first(self.end.end)
    }

    fn last_state(&self) -> Option<&SocketState> {
        self.observation.last_state(self.end)
    }

    fn timer(&self) -> Option<Mismatch> {
        let expected = self.expectation.evidence.timer?;
        let seen = self.last_state().map(|state| match state.timer {
            Some(timer) => ExpectedTimer::Armed(timer.kind),
            None => ExpectedTimer::None,
        });
        if seen == Some(expected) {
            return None;
        }
        let observed = seen.map_or_else(
            || "the socket was never looked at".to_owned(),
            |seen| seen.to_string(),
        );
        let expected = format!("timer {expected} at the end");
        Some(self.mismatch(expected, self.line("timer"), observed))
    }

    /// A connection that the kernel does not list any more is closed.
    fn state(&self) -> Option<Mismatch> {
        let expected = self.expectation.evidence.state?;
        let ended = self.end.connections.first().and_then(|first| first.ended);
        let seen = match ended {
            // It stays as it is: the last look tells.
            Some(_) => self.samples().next_back().map(|sample| {
                let state = sample.state.as_ref();
                state.map_or(TcpState::Close, |state| state.state)
            }),
            None => self.last_state().map(|state| state.state),
        };
        if seen == Some(expected) {
            return None;
        }
        let observed = seen.map_or_else(
            || "the socket was never looked at".to_owned(),
            |seen| seen.to_string(),
        );
        let expected = format!("state {expected} at the end");
        Some(self.mismatch(expected, self.line("state"), observed))
    }
}

/// What comes in about the RST of a connection that was given up depends on how fast the machine
/// is.
fn is_heard(error: &IcmpError) -> bool {
    error.fate != IcmpFate::NoConnection
}

fn words(events: &[PollEvent]) -> String {
    let words: Vec<String> = events.iter().map(PollEvent::to_string).collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}
