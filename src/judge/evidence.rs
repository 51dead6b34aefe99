//! Compares the evidence on the wire and in the kernel with the expectations of the file.

use std::net::IpAddr;

use super::Judging;
use crate::evidence::{SocketSample, SocketState};
use crate::model::{CountRange, ExpectedTimer, Family, IcmpKind, Moment, PollEvent, TcpState};
use crate::outcome::{ConnectionObservation, EndObservation, Mismatch};
use crate::text::seconds;
use crate::wire::{IcmpError, IcmpFate};

impl Judging<'_> {
    /// The mismatches of the evidence: at most one for each kind, of the first connection that has
    /// one.
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
                ("ARP or NDP requests", "neighbours.solicited"),
                asked.solicited,
                |end| &end.neighbours.solicited,
            ),
            self.of_host(
                ("ARP or NDP replies", "neighbours.advertised"),
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

    /// Compares the events that poll(2) returned at the outcome. They must be equal to the expected
    /// ones; an empty expectation is not checked.
    fn poll(&self) -> Option<Mismatch> {
        let asked = &self.expectation.poll;
        if asked.is_empty() {
            return None;
        }
        self.of_connections(|connection| {
            let observed = &connection.poll;
            (observed != asked).then(|| {
                let expected = format!("poll(2) to return {}", words(asked));
                self.mismatch(expected, self.line("poll"), words(observed))
            })
        })
    }

    fn next_write(&self) -> Option<Mismatch> {
        let asked = self.expectation.next_write?;
        self.of_connections(|connection| {
            let result = connection.next_write;
            (result != Some(asked)).then(|| {
                let result = result.map_or("no write was tried".to_owned(), |it| it.to_string());
                self.mismatch(
                    format!("the next write: {asked}"),
                    self.line("next_write"),
                    result,
                )
            })
        })
    }

    /// Whether the moment is between zero time and the end of the watch.
    fn is_watched(&self, at: Moment) -> bool {
        at >= self.observation.zero && at <= self.end.watched_until
    }

    /// Compares the number of watched moments with the range of a key. The mismatch lists the
    /// moments.
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

    /// Compares the senders of the ICMP errors with the expected node: at least one error must be
    /// received, and the node must have sent all of them.
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

    /// The socket samples of the first connection of this end.
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

    /// Compares the TCP state of the first connection. A connection that the kernel no longer lists
    /// is in the state `CLOSE`.
    fn state(&self) -> Option<Mismatch> {
        let expected = self.expectation.evidence.state?;
        let ended = self.end.connections.first().and_then(|first| first.ended);
        let seen = match ended {
            // The state no longer changes, so the last sample has it.
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

/// Whether the error arrived while the connection existed. Errors caused by the RST of a connection
/// that was given up do not count, because their number depends on the speed of the machine.
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
