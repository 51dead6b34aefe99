//! Cases from the text of a file and hand-made observations, for the tests of the judge and the
//! reports.

use std::path::Path;
use std::time::Duration;

use crate::evidence::Evidence;
use crate::model::{CounterName, Counters, End, Ended, ErrnoName, Hz, Moment};
use crate::outcome::{ConnectionObservation, EndObservation, Observation, Recording};
use crate::prepare::{Prepared, prepare};
use crate::scenario;
use crate::wire::{Direction, Flags, Neighbours, Segment};

/// Nanoseconds.
pub(crate) const MS: i64 = 1_000_000;
/// Nanoseconds.
pub(crate) const S: i64 = 1_000 * MS;

/// Zero time on the clock.
const ZERO: u64 = 1_000_000_000_000;

/// The moment this number of nanoseconds after zero time; a negative number is before it.
pub(crate) fn at(nanos: i64) -> Moment {
    Moment::from_nanos(ZERO.saturating_add_signed(nanos))
}

/// The cases of a file `test.toml`, at 250 Hz.
pub(crate) fn cases(text: &str) -> Vec<Prepared> {
    let scenario = scenario::parse(Path::new("test.toml"), text).unwrap();
    prepare(vec![scenario], Hz::new(250).unwrap()).unwrap()
}

/// The only case of a file.
pub(crate) fn case(text: &str) -> Prepared {
    let mut cases = cases(text);
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

/// A case in which the peer crashes while the connection is idle. The last activity is followed by
/// 1 s of idle time and three probes at intervals of 1 s, so the oracle predicts 4 s to 4.128 s
/// (four timers, each late by at most 32 ms). The expectation is in line 3.
pub(crate) fn crashed(expect: &str) -> Prepared {
    case(&crash(expect))
}

/// The file of [`crashed`].
pub(crate) fn crash(expect: &str) -> String {
    format!(
        r#"
summary = "The peer crashes"
expect.client = {{ {expect} }}
[topology]
preset = "direct"
family = "ipv4"
[connection.client]
keepalive = {{ idle = "1s", interval = "1s", probes = 3 }}
[[step]]
do = "exchange"
[[step]]
do = "crash"
host = "server"
"#
    )
}

pub(crate) fn errno(name: &str) -> ErrnoName {
    ErrnoName::parse(name).unwrap()
}

/// A builder for one end's view of one connection, segment by segment.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    connection: ConnectionObservation,
    /// The next sequence number in each direction: sent, and received.
    next: (u32, u32),
}

impl Line {
    /// Establishes the connection; the last segment of the handshake arrives at this time.
    pub(crate) fn established(nanos: i64) -> Self {
        let line = Self {
            connection: ConnectionObservation {
                reads_since: Some(at(nanos - 4)),
                ..ConnectionObservation::default()
            },
            next: (1000, 9000),
        };
        line.out(nanos - 3, 10).answered(nanos)
    }

    fn segment(mut self, nanos: i64, direction: Direction, seq: u32, ack: u32, len: u32) -> Self {
        self.connection.track.observe(&Segment {
            at: at(nanos),
            direction,
            connection: 40_000,
            seq,
            ack,
            len,
            window: 500,
            timestamp: None,
            flags: Flags {
                ack: true,
                ..Flags::default()
            },
        });
        self
    }

    /// Sends payload.
    pub(crate) fn out(mut self, nanos: i64, len: u32) -> Self {
        let (seq, ack) = self.next;
        self.next.0 += len;
        self.segment(nanos, Direction::Out, seq, ack, len)
    }

    /// Retransmits the last payload.
    pub(crate) fn out_again(self, nanos: i64, len: u32) -> Self {
        let (seq, ack) = self.next;
        self.segment(nanos, Direction::Out, seq - len, ack, len)
    }

    /// Acknowledges all sent data.
    pub(crate) fn answered(self, nanos: i64) -> Self {
        let (ack, seq) = self.next;
        self.segment(nanos, Direction::In, seq, ack, 0)
    }

    /// Sends a keepalive probe.
    pub(crate) fn probe(self, nanos: i64) -> Self {
        let (seq, ack) = self.next;
        self.segment(nanos, Direction::Out, seq - 1, ack, 0)
    }

    /// Sends keepalive probes at these times.
    pub(crate) fn probes(self, times: &[i64]) -> Self {
        times.iter().fold(self, |line, nanos| line.probe(*nanos))
    }

    /// Receives a RST.
    pub(crate) fn reset(mut self, nanos: i64) -> Self {
        self.connection.track.observe(&Segment {
            at: at(nanos),
            direction: Direction::In,
            connection: 40_000,
            seq: self.next.1,
            ack: 0,
            len: 0,
            window: 500,
            timestamp: None,
            flags: Flags {
                rst: true,
                ..Flags::default()
            },
        });
        self
    }

    /// Reports this error to the application.
    pub(crate) fn fails(mut self, name: &str, nanos: i64) -> Self {
        self.connection.ended = Some((Ended::Error(errno(name)), at(nanos)));
        self
    }

    /// Reports the end of the stream to the application.
    pub(crate) fn closes(mut self, nanos: i64) -> Self {
        self.connection.ended = Some((Ended::EndOfFile, at(nanos)));
        self
    }

    /// Sets the result of the exchange at the end.
    pub(crate) fn exchanged(mut self, outcome: Result<(), &str>) -> Self {
        self.connection.further_exchange = Some(outcome.map_err(str::to_owned));
        self
    }
}

/// The observation of the client, watched for 5.5 s.
pub(crate) fn client(lines: Vec<Line>) -> EndObservation {
    EndObservation {
        end: End::Client,
        connections: lines.into_iter().map(|line| line.connection).collect(),
        neighbours: Neighbours::default(),
        counters: Counters::new(),
        descriptors: None,
        watched_until: at(5_500 * MS),
        look_delay: Duration::ZERO,
        recording: Recording::default(),
    }
}

/// The observation of the server.
pub(crate) fn server(lines: Vec<Line>) -> EndObservation {
    EndObservation {
        end: End::Server,
        ..client(lines)
    }
}

pub(crate) fn counters(rises: &[(&str, u64)]) -> Counters {
    rises
        .iter()
        .map(|(name, rise)| (CounterName((*name).to_owned()), *rise))
        .collect()
}

/// The observation of a case whose steps were all taken.
pub(crate) fn observed(ends: Vec<EndObservation>) -> Observation {
    Observation {
        setup: Duration::from_millis(120),
        zero: at(0),
        ends,
        stalls: Vec::new(),
        backlog_drops: 0,
        neighbours_refused: 0,
        evidence: Evidence::default(),
        cut_short: None,
    }
}
