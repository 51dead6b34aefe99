//! A crash of the peer, made by hand frame by frame, for the tests of reports.

use std::sync::Arc;
use std::time::Duration;

use etherparse::PacketBuilder;

use crate::evidence::{
    Captured, Change, Evidence, Excerpt, NetworkChange, SocketSample, SocketState, StepTaken,
    TcpInfo, Timer,
};
use crate::judge::judge;
use crate::model::{CLIENT_PORT, End, Node, SERVER_PORT, TcpState, TimerKind};
use crate::outcome::{CaseResult, Observation};
use crate::step::StepKind;
use crate::testing::{Line, MS, at, client, crashed, observed};
use crate::wire::{Direction, Frame};

const CLIENT: [u8; 4] = [192, 0, 2, 1];
const SERVER: [u8; 4] = [192, 0, 2, 2];

/// Returns a segment with these flags (`S`, `.`, `R`). Sequence numbers are relative to 1000 in
/// each direction.
pub(super) fn segment(from: End, flags: &str, seq: u32, ack: u32, len: usize) -> Vec<u8> {
    let (addresses, ports) = match from {
        End::Client => ((CLIENT, SERVER), (CLIENT_PORT, SERVER_PORT)),
        End::Server => ((SERVER, CLIENT), (SERVER_PORT, CLIENT_PORT)),
    };
    let mut builder = PacketBuilder::ethernet2([2; 6], [3; 6])
        .ipv4(addresses.0, addresses.1, 64)
        .tcp(ports.0, ports.1, 1000 + seq, 502);
    if flags.contains('S') {
        builder = builder.syn();
    }
    if flags.contains('R') {
        builder = builder.rst();
    }
    if flags.contains('.') {
        builder = builder.ack(1000 + ack);
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes, &vec![b'.'; len]).unwrap();
    bytes
}

/// Returns the same segment on another connection.
pub(super) fn of_connection(mut bytes: Vec<u8>, port: u16) -> Vec<u8> {
    for place in [34..36, 36..38] {
        if bytes[place.clone()] == CLIENT_PORT.to_be_bytes() {
            bytes[place].copy_from_slice(&port.to_be_bytes());
        }
    }
    bytes
}

/// The frames between the hosts, as both hosts capture them.
#[derive(Default)]
pub(super) struct Wire {
    client: Vec<Frame>,
    server: Vec<Frame>,
}

pub(super) enum Fate {
    Arrives,
    Lost,
    Unheard,
}

impl Wire {
    pub(super) fn sends(mut self, nanos: i64, from: End, bytes: Vec<u8>, fate: Fate) -> Self {
        let frame = |direction, unheard| Frame {
            at: at(nanos),
            direction,
            unheard,
            length: bytes.len() as u32,
            bytes: bytes.clone(),
        };
        let (near, far) = match from {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        };
        near.push(frame(Direction::Out, false));
        match fate {
            Fate::Arrives => far.push(frame(Direction::In, false)),
            Fate::Unheard => far.push(frame(Direction::In, true)),
            Fate::Lost => {}
        }
        self
    }

    pub(super) fn captures(self) -> Vec<Captured> {
        [(Node::CLIENT, self.client), (Node::SERVER, self.server)]
            .map(|(node, items)| Captured {
                node,
                interface: "eth0".to_owned(),
                frames: Excerpt {
                    items,
                    ..Excerpt::default()
                },
            })
            .into()
    }
}

fn sample(nanos: i64, probes: u8) -> SocketSample {
    SocketSample {
        at: at(nanos),
        end: End::Client,
        connection: CLIENT_PORT,
        state: Some(SocketState {
            state: TcpState::Established,
            timer: Some(Timer {
                kind: TimerKind::Keepalive,
                expires: Duration::from_millis(999),
            }),
            receive_queue: 0,
            send_queue: 0,
            info: Some(TcpInfo {
                probes,
                ..TcpInfo::default()
            }),
        }),
    }
}

/// Returns the evidence of a crash: the connection is opened, ten bytes are sent, and the peer
/// crashes. As in virtual time, the first segments have nearly the same time.
pub(crate) fn crash() -> Evidence {
    use End::{Client, Server};
    let wire = Wire::default()
        .sends(-40, Client, segment(Client, "S", 0, 0, 0), Fate::Arrives)
        .sends(-40, Server, segment(Server, "S.", 0, 1, 0), Fate::Arrives)
        .sends(-40, Client, segment(Client, ".", 1, 1, 0), Fate::Arrives)
        .sends(-30, Client, segment(Client, ".", 1, 1, 10), Fate::Arrives)
        .sends(-20, Server, segment(Server, ".", 1, 11, 0), Fate::Arrives)
        .sends(
            1_000 * MS,
            Client,
            segment(Client, ".", 10, 1, 0),
            Fate::Unheard,
        )
        .sends(
            2_000 * MS,
            Client,
            segment(Client, ".", 10, 1, 0),
            Fate::Unheard,
        )
        .sends(
            4_050 * MS,
            Client,
            segment(Client, "R.", 11, 1, 0),
            Fate::Lost,
        );
    Evidence {
        steps: vec![StepTaken {
            line: 13,
            what: "crash the server".to_owned(),
            kind: StepKind::Fault,
            due: at(0),
            from: at(0),
            until: at(100),
            waits_for_peer: false,
            not_taken: None,
        }],
        captures: wire.captures(),
        sockets: vec![
            sample(-10, 0),
            sample(500 * MS, 0),
            sample(1_000 * MS, 1),
            sample(2_000 * MS, 2),
        ],
        changes: vec![NetworkChange {
            at: at(3_000 * MS),
            node: Node::CLIENT,
            change: Change::Neighbour {
                address: SERVER.into(),
                state: "FAILED".to_owned(),
            },
        }],
        ..Evidence::default()
    }
}

/// Returns the result of a case with this evidence. Its client got `ETIMEDOUT` after 4.05 s.
pub(crate) fn result(evidence: Evidence) -> CaseResult {
    let prepared = crashed(r#"error = "ETIMEDOUT""#);
    let line = Line::established(-20).fails("ETIMEDOUT", 4_050 * MS);
    let observation = Observation {
        evidence,
        ..observed(vec![client(vec![line])])
    };
    CaseResult {
        verdict: judge(&prepared, &observation),
        phase: Duration::ZERO,
        guest_time: None,
        prepared: Arc::new(prepared),
        observation: Some(observation),
        elapsed: Duration::from_secs(5),
    }
}
