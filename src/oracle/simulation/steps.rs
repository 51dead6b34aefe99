//! Takes the steps of the case, in their order and at their times.

use std::time::Duration;

use super::clock::Nanos;
use super::{Event, Simulation, State};
use crate::model::{End, Node, ProbeEvent, Side};
use crate::step::{Action, NetworkAction, ProgramAction, Start, StepKind};
use crate::world::{Change, Fault};

/// How long the harness waits for an exchange.
const EXCHANGE_LIMIT: Nanos = 15_000_000_000;

/// The progress through the steps.
#[derive(Debug, Default)]
pub(super) struct Progress {
    next: usize,
    state: Phase,
    zero: Option<Nanos>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Phase {
    /// The next step has its time.
    #[default]
    Scheduled,
    /// The next step waits for probes.
    Probes {
        left: u32,
        what: ProbeEvent,
    },
    /// A step waits for its exchange.
    Exchange {
        from: End,
        bytes: u64,
        heard: u64,
        back: u64,
        since: Nanos,
    },
    Done,
}

impl Progress {
    pub(super) fn are_done(&self) -> bool {
        matches!(self.state, Phase::Done)
    }

    pub(super) fn zero(&self) -> Option<Nanos> {
        self.zero
    }
}

impl Simulation<'_> {
    /// The step before is done.
    pub(super) fn schedule_step(&mut self) {
        let case = self.case;
        let Some(step) = case.steps.get(self.steps.next) else {
            self.steps.state = Phase::Done;
            self.steps.zero.get_or_insert(self.now);
            return;
        };
        let late = match step.action.kind() {
            StepKind::Fault => self.conditions.late.fault,
            StepKind::Repair => self.conditions.late.repair,
            StepKind::Traffic => self.conditions.late.traffic,
        };
        let at = |time: Duration, now: Nanos| now + super::nanos(time + late);
        self.steps.state = Phase::Scheduled;
        match step.start {
            Start::AtOnce => self.at(at(Duration::ZERO, self.now), Event::Step),
            Start::After(time) => self.at(at(time, self.now), Event::Step),
            Start::When { count, what } => {
                self.steps.state = Phase::Probes { left: count, what };
            }
        }
    }

    /// The observed end has sent a probe, or has had one answered.
    fn probe(&mut self, end: End, event: ProbeEvent) {
        let Phase::Probes { left, what } = &mut self.steps.state else {
            return;
        };
        if *what != event || self.case.connection.observed_end() != Some(end) {
            return;
        }
        *left -= 1;
        if *left == 0 {
            self.steps.state = Phase::Scheduled;
            self.soon(Event::Step);
        }
    }

    pub(super) fn probe_sent(&mut self, end: End) {
        self.probe(end, ProbeEvent::Sent);
    }

    pub(super) fn probe_answered(&mut self, end: End) {
        self.socket(end).answered += 1;
        self.probe(end, ProbeEvent::Answered);
    }

    /// The next step begins.
    pub(super) fn step(&mut self) {
        let case = self.case;
        let position = self.steps.next;
        let Some(step) = case.steps.get(position) else {
            return;
        };
        self.steps.next += 1;
        self.world.advance(position, Some(Duration::ZERO));
        if step.action.is_fault() {
            self.steps.zero.get_or_insert(self.now);
        }
        if step.applies_to(case.family) {
            match &step.action {
                Action::Network(action) => self.network(&step.action, action),
                Action::Program(action) => self.program(action),
            }
        }
        if !matches!(self.steps.state, Phase::Exchange { .. }) {
            self.schedule_step();
        }
    }

    fn network(&mut self, action: &Action, kind: &NetworkAction) {
        // What comes and goes by itself or by chance is not modelled.
        if matches!(kind, NetworkAction::Impair(_) | NetworkAction::Flap(_))
            || action.must_wait(&self.world)
        {
            self.unsettle();
            return;
        }
        // A step that is refused is not taken.
        if action.act(&mut self.world).is_err() {
            self.world.take_changes();
            return;
        }
        for change in self.world.take_changes() {
            self.changed(&change);
        }
        for socket in &mut self.sockets {
            socket.answered = 0;
        }
    }

    fn changed(&mut self, change: &Change) {
        match change {
            Change::Began(Fault::Link(side)) => self.link_is_down(*side),
            Change::Ended(Fault::WrongNeighbour(on, to)) | Change::NeighbourRemoved(on, to) => {
                self.flush_neighbour(*on, *to);
            }
            Change::Rebooted {
                host,
                downtime,
                new_mac,
            } => self.reboot(*host, *downtime, *new_mac),
            Change::FlowsFlushed(_) => {
                if let Some(flow) = &mut self.flow {
                    flow.flush();
                }
            }
            Change::FlowTimeout(_) => self.unsettle(),
            Change::Began(_) | Change::Ended(_) => {}
        }
    }

    /// The interface is set down, and its neighbour entries are gone; the machine across loses its
    /// carrier, and notes it later.
    fn link_is_down(&mut self, side: Side) {
        self.lost_carrier = true;
        let Some([at, across]) = self.world.interface(side) else {
            self.unsettle();
            return;
        };
        self.flush_link(at, across);
        let noted = self.now + super::nanos(self.conditions.carrier);
        self.at(noted, Event::CarrierLost(across, at));
    }

    /// The machine notes that the carrier of its link is gone, unless it is back.
    pub(super) fn carrier_is_lost(&mut self, at: Node, across: Node) {
        if self.world.is_down(across, at) {
            self.flush_link(at, across);
        }
    }

    fn reboot(&mut self, host: End, downtime: Duration, new_mac: bool) {
        if new_mac {
            self.unsettle();
        }
        let socket = self.socket(host);
        if socket.is_open() {
            socket.state = State::Forgotten;
        }
        socket.keepalive_timer.stop();
        socket.write_timer.stop();
        socket.ack_timer.stop();
        let back = self.now + super::nanos(downtime + self.conditions.late.repair);
        self.at(back, Event::HostUp(host));
    }

    pub(super) fn host_is_up(&mut self, host: End) {
        self.world.end(|fault| *fault == Fault::Down(host));
        self.world.take_changes();
        for socket in &mut self.sockets {
            socket.answered = 0;
        }
    }

    fn program(&mut self, action: &ProgramAction) {
        match action {
            ProgramAction::Exchange(exchange) => {
                if self.sockets.iter().any(|socket| !socket.is_open()) {
                    return;
                }
                let bytes = exchange.payload.len() as u64;
                self.steps.state = Phase::Exchange {
                    from: exchange.from,
                    bytes,
                    heard: 0,
                    back: 0,
                    since: self.now,
                };
                self.write(exchange.from, bytes);
            }
            ProgramAction::SendData(send) => self.write(send.from, u64::from(send.bytes)),
            ProgramAction::Connect(_)
            | ProgramAction::Fill(_)
            | ProgramAction::Listener(_)
            | ProgramAction::Socket(_)
            | ProgramAction::Process(_)
            | ProgramAction::Reader(_) => self.unsettle(),
        }
    }

    /// The program of an end has read so many bytes.
    pub(super) fn data_read(&mut self, end: End, count: u64) {
        let Phase::Exchange {
            from,
            bytes,
            heard,
            back,
            ..
        } = &mut self.steps.state
        else {
            return;
        };
        if end == *from {
            *back += count;
            return;
        }
        *heard += count;
        if *heard >= *bytes {
            let bytes = *bytes;
            self.soon(Event::Reply(end, bytes));
        }
    }

    /// Whether what a step waits for has come.
    pub(super) fn check_wait(&mut self) {
        match self.steps.state {
            Phase::Scheduled | Phase::Done => {}
            Phase::Exchange {
                bytes, back, since, ..
            } => {
                if back >= bytes && self.sockets.iter().all(super::Socket::is_idle) {
                    self.schedule_step();
                } else if self.now > since + EXCHANGE_LIMIT {
                    self.unsettle();
                }
            }
            // What comes after the end of the connection is not taken.
            Phase::Probes { .. } => {
                let end = self.case.connection.observed_end();
                if end.is_none_or(|end| !self.socket(end).is_open()) {
                    self.steps.state = Phase::Done;
                }
            }
        }
    }
}
