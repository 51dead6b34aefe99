//! Simulates both ends of one connection over the modelled network, packet by packet and tick by
//! tick.
//!
//! Time is the kernel's: nanoseconds since boot, and the ticks that they fall into ([`clock`]). The
//! ends are sockets with their timers ([`socket`], [`tcp`]). A packet passes the faults of the
//! [`World`] and the neighbour entries on its path ([`path`]); the steps change the World
//! ([`steps`]). Nothing is random: [`Conditions`] has the values that the case does not determine.

mod clock;
mod conntrack;
mod neighbour;
mod path;
mod socket;
mod steps;
mod tcp;
mod trace;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

pub(super) use trace::Cause;

use self::clock::{Clock, Jiffies, Nanos};
use self::conntrack::Flow;
use self::path::{Hop, Limit};
use self::socket::{Seq, Socket, State};
use crate::model::{End, ErrnoName, Hz, Node};
use crate::scenario::Case;
use crate::world::World;

/// `TCP_RTO_MAX` (`include/net/tcp.h`).
const RTO_MAX: Duration = Duration::from_secs(120);
/// `TCP_RTO_MIN`.
const RTO_MIN: Duration = Duration::from_millis(200);

/// The maximum number of events. No valid case needs as many.
const MOST_EVENTS: u32 = 200_000;

/// The values that a case does not determine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conditions {
    /// The time from boot to the established connection.
    pub(crate) established: Duration,
    /// The first retransmission timeout beyond 200 ms, in ticks. It depends on the round trips.
    pub(crate) longer_rto: u64,
    /// How long a neighbour stays confirmed (`neigh_rand_reach_time`).
    pub(crate) reachable: Duration,
    /// The time from the loss of a carrier until the machine processes it (`linkwatch_event`).
    pub(crate) carrier: Duration,
    /// The delay of the steps.
    pub(crate) late: Lateness,
}

/// The delay of the steps, by their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lateness {
    pub(crate) fault: Duration,
    pub(crate) repair: Duration,
    pub(crate) traffic: Duration,
}

/// The model does not cover the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsettled;

/// The result of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// When the first fault began, or the last step was done where there is none.
    pub(crate) zero: Option<Duration>,
    ends: [EndRun; 2],
    /// Whether data was sent while a fault was present, so that the first timeout matters.
    pub(crate) data_in_flight: bool,
    /// Whether a machine sent an ARP or NDP request, so that the reachable time matters.
    pub(crate) neighbour_asked: bool,
    /// Whether a carrier was lost.
    pub(crate) carrier: bool,
}

/// The outcome at one end.
#[derive(Debug, Clone, Copy)]
pub(super) enum EndRun {
    /// No error, now or later.
    Survives,
    /// Its host has lost the connection.
    Forgotten,
    /// An error.
    Ended {
        errno: ErrnoName,
        at: Duration,
        cause: Cause,
        /// When TCP had accepted the last segment.
        received: Duration,
        /// When the oldest data that was never acknowledged was sent first.
        unacknowledged: Option<Duration>,
    },
}

impl Run {
    pub(super) fn end(&self, end: End) -> EndRun {
        self.ends[index(end)]
    }
}

const fn index(end: End) -> usize {
    match end {
        End::Client => 0,
        End::Server => 1,
    }
}

/// A segment on its way.
#[derive(Debug, Clone, Copy)]
struct Segment {
    to: End,
    what: What,
    /// What it acknowledges.
    ack: Seq,
    /// The end of the data beyond a gap that it has (SACK).
    sacked: Option<Seq>,
}

/// The kind of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Data {
        start: Seq,
        end: Seq,
    },
    /// A keepalive probe: the number before the first that is not acknowledged.
    Probe {
        seq: Seq,
    },
    Ack {
        seq: Seq,
    },
    /// Sent by a kernel without the connection, by a router, or by an end that gives up.
    Rst {
        seq: Seq,
        cause: Cause,
    },
}

/// What IP output returns to TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// The segment has left the host, or was dropped without an error.
    Away,
    /// The segment waits in the host for the address of the neighbour.
    Held,
    /// The host has no route.
    Failed(ErrnoName),
    /// The interface has dropped it (`NET_XMIT_DROP`).
    Congested,
}

/// An event.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The next step begins.
    Step,
    /// The host is back from its reboot.
    HostUp(End),
    Keepalive(End, u32),
    Write(End, u32),
    Acknowledge(End, u32),
    NeighbourTimer(usize, u32),
    /// The machine notes that the carrier of its link to another one is gone.
    CarrierLost(Node, Node),
    /// The neighbour has answered.
    NeighbourAnswer(usize),
    Arrive(Segment),
    /// An ICMP error for the end; the number that it quotes.
    Icmp(End, Seq, IcmpEffect),
    /// The program of the end writes so many bytes.
    Reply(End, u64),
}

/// The effect of an ICMP error on TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IcmpEffect {
    errno: ErrnoName,
    /// Whether it reverts one backoff (RFC 6069).
    reverts: bool,
}

#[derive(Debug)]
struct Queued {
    at: Nanos,
    order: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// One run of one case.
struct Simulation<'c> {
    case: &'c Case,
    clock: Clock,
    conditions: &'c Conditions,
    now: Nanos,
    /// Whether a timer function runs: the clock of the timer wheel is one tick ahead then
    /// (`__run_timers`).
    in_timer: bool,
    order: u64,
    queue: BinaryHeap<Reverse<Queued>>,
    world: World,
    sockets: [Socket; 2],
    /// The machines from one end to the other, by the end that they lead to.
    paths: [Rc<[Node]>; 2],
    hops: Vec<Hop>,
    limits: Vec<Limit>,
    flow: Option<Flow>,
    steps: steps::Progress,
    /// Set as soon as the case meets something that the model does not cover.
    unsettled: Option<Unsettled>,
    data_in_flight: bool,
    neighbour_asked: bool,
    lost_carrier: bool,
}

/// Runs the case until both ends have ended or are in a steady state.
pub(super) fn run(case: &Case, hz: Hz, conditions: &Conditions) -> Result<Run, Unsettled> {
    let mut simulation = Simulation::new(case, hz, conditions)?;
    simulation.run()?;
    Ok(simulation.finish())
}

fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl<'c> Simulation<'c> {
    fn new(case: &'c Case, hz: Hz, conditions: &'c Conditions) -> Result<Self, Unsettled> {
        let clock = Clock::new(hz);
        let now = nanos(conditions.established);
        let rto = clock.ticks(RTO_MIN) + conditions.longer_rto;
        let socket = |end| {
            let settings = case.connection.end(end);
            Socket::new(settings, case.family, clock, rto, now)
        };
        let there = case.topology.unique_path().ok_or(Unsettled)?;
        let back = there.iter().rev().copied().collect();
        let mut simulation = Self {
            case,
            clock,
            conditions,
            now,
            in_timer: false,
            order: 0,
            queue: BinaryHeap::new(),
            world: case.world(),
            sockets: [socket(End::Client), socket(End::Server)],
            paths: [back, Rc::from(there)],
            hops: Vec::new(),
            limits: Vec::new(),
            flow: Flow::new(case, clock, now),
            steps: steps::Progress::default(),
            unsettled: None,
            data_in_flight: false,
            neighbour_asked: false,
            lost_carrier: false,
        };
        simulation.create_hops();
        for end in [End::Client, End::Server] {
            if let Some(keepalive) = simulation.socket(end).keepalive {
                simulation.arm_keepalive(end, keepalive.idle);
            }
        }
        simulation.schedule_step();
        Ok(simulation)
    }

    fn socket(&mut self, end: End) -> &mut Socket {
        &mut self.sockets[index(end)]
    }

    fn tick(&self) -> Jiffies {
        self.clock.jiffies(self.now)
    }

    fn millis(&self) -> u64 {
        self.now / 1_000_000
    }

    fn at(&mut self, at: Nanos, event: Event) {
        self.order += 1;
        let order = self.order;
        self.queue.push(Reverse(Queued { at, order, event }));
    }

    /// Schedules an event right after the present one.
    fn soon(&mut self, event: Event) {
        self.at(self.now, event);
    }

    /// When a timer fires that expires in this tick.
    fn expiry(&self, expires: Jiffies) -> Nanos {
        let base = self.tick() + u64::from(self.in_timer);
        self.clock.start(self.clock.expiry(expires, base))
    }

    fn unsettle(&mut self) {
        self.unsettled = Some(Unsettled);
    }

    fn run(&mut self) -> Result<(), Unsettled> {
        for _ in 0..MOST_EVENTS {
            if let Some(unsettled) = self.unsettled {
                return Err(unsettled);
            }
            if self.is_steady() {
                return Ok(());
            }
            let Some(Reverse(queued)) = self.queue.pop() else {
                return Ok(());
            };
            self.now = self.now.max(queued.at);
            self.handle(queued.event);
        }
        Err(Unsettled)
    }

    fn handle(&mut self, event: Event) {
        self.in_timer = matches!(
            event,
            Event::Keepalive(..)
                | Event::Write(..)
                | Event::Acknowledge(..)
                | Event::NeighbourTimer(..)
        );
        match event {
            Event::Step => self.step(),
            Event::HostUp(end) => self.host_is_up(end),
            Event::Keepalive(end, timer) => {
                if self.socket(end).keepalive_timer.fires(timer) {
                    self.keepalive_timer(end);
                }
            }
            Event::Write(end, timer) => {
                if self.socket(end).write_timer.fires(timer) {
                    self.write_timer(end);
                }
            }
            Event::Acknowledge(end, timer) => {
                if self.socket(end).ack_timer.fires(timer) {
                    self.delayed_acknowledgement(end);
                }
            }
            Event::NeighbourTimer(hop, timer) => self.neighbour_timer(hop, timer),
            Event::NeighbourAnswer(hop) => self.neighbour_answers(hop),
            Event::CarrierLost(at, across) => self.carrier_is_lost(at, across),
            Event::Arrive(segment) => self.receive(segment),
            Event::Icmp(end, seq, effect) => self.icmp(end, seq, effect),
            Event::Reply(end, bytes) => self.write(end, bytes),
        }
        self.in_timer = false;
        self.check_wait();
    }

    /// Whether both ends have ended or only repeat answered keepalive probes.
    fn is_steady(&self) -> bool {
        let is_steady_socket = |socket: &Socket| match socket.state {
            State::Open => socket.is_idle() && (socket.keepalive.is_none() || socket.answered >= 3),
            State::Ended { .. } | State::Forgotten => true,
        };
        self.steps.are_done()
            && self.sockets.iter().all(is_steady_socket)
            && !self.is_something_under_way()
    }

    /// Whether a packet is under way, or a host is down for its reboot.
    fn is_something_under_way(&self) -> bool {
        self.hops.iter().any(Hop::has_waiting)
            || self.queue.iter().any(|Reverse(queued)| match queued.event {
                Event::Step
                | Event::HostUp(_)
                | Event::NeighbourAnswer(_)
                | Event::Arrive(_)
                | Event::Icmp(..)
                | Event::Reply(..) => true,
                Event::Keepalive(..)
                | Event::Write(..)
                | Event::Acknowledge(..)
                | Event::CarrierLost(..)
                | Event::NeighbourTimer(..) => false,
            })
    }

    fn finish(self) -> Run {
        let ends = [0, 1].map(|end| {
            let socket: &Socket = &self.sockets[end];
            match socket.state {
                State::Open => EndRun::Survives,
                State::Forgotten => EndRun::Forgotten,
                State::Ended { errno, at, cause } => EndRun::Ended {
                    errno,
                    at: Duration::from_nanos(at),
                    cause,
                    received: Duration::from_nanos(socket.received),
                    unacknowledged: socket.unacknowledged.map(Duration::from_nanos),
                },
            }
        });
        Run {
            zero: self.steps.zero().map(Duration::from_nanos),
            ends,
            data_in_flight: self.data_in_flight,
            neighbour_asked: self.neighbour_asked,
            carrier: self.lost_carrier,
        }
    }
}
