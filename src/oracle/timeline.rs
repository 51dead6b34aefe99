//! A case's steps as outages: when the path is broken, from when to when, and what is unacknowledged meanwhile.
//!
//! All times count from the last segment that the observed end received before the outage, because that is what the kernel counts
//! from; each is a span, because steps take time and timers are late.

use std::time::Duration;

use super::keepalive::EffectiveKeepalive;
use super::span::Span;
use super::wheel::Hz;
use crate::scenario::model::{
    Action, CableChange, Case, End, Node, ProbeEvent, RouteChange, Start, Step,
};

/// How long a step may take, and how far it may lie after the step before where nothing is stated.
pub const STEP_TIME: Duration = Duration::from_millis(50);
/// A delayed acknowledgement (`TCP_DELACK_MIN`) and a step: data older than this is acknowledged while the path is whole.
const ACKNOWLEDGED: Duration = Duration::from_millis(100);

/// Something that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The cable of this end's host is out.
    Cable(End),
    /// This end's host is silent, with its carrier up.
    Crash(End),
    /// This end's host has lost its sockets and is silent until it is back.
    Reboot(End),
    /// A node's route towards an end is not what it was.
    Route(Node, End, RouteChange),
}

impl Fault {
    /// Whether segments to this end are lost.
    #[must_use]
    pub fn blocks(self, to: End) -> bool {
        match self {
            Self::Route(_, end, _) => end == to,
            Self::Cable(_) | Self::Crash(_) | Self::Reboot(_) => true,
        }
    }
}

/// A time within an outage at which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// From the last received segment.
    pub at: Span,
    /// Right after this many probes of the observed end, where the step waited for them.
    pub after_probes: Option<u32>,
}

/// Data that the observed end wrote into an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// When, from the last received segment.
    pub at: Span,
    /// How much.
    pub bytes: u32,
}

/// One time during which segments are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What was broken, in order; nothing is taken out.
    pub faults: Vec<Fault>,
    /// When it began, from the last received segment.
    pub begins: Span,
    /// How long the connection had been established when it began.
    pub age: Span,
    /// When the path was whole again; `None`: never.
    pub back: Option<Moment>,
    /// What the observed end wrote meanwhile.
    pub written: Option<Written>,
    /// Whether the other end wrote meanwhile.
    pub peer_wrote: bool,
    /// Whether probes may have been answered before, so that the timer may be waiting for the interval instead of the idle time.
    pub probed: bool,
}

impl Outage {
    /// Whether segments to this end are lost.
    #[must_use]
    pub fn blocks(&self, to: End) -> bool {
        self.faults.iter().any(|fault| fault.blocks(to))
    }

    /// The fault, if there is just one.
    #[must_use]
    pub fn only_fault(&self) -> Option<Fault> {
        match self.faults[..] {
            [fault] => Some(fault),
            _ => None,
        }
    }

    /// Whether the host across has lost its sockets.
    #[must_use]
    pub fn forgets(&self, host: End) -> bool {
        self.faults.contains(&Fault::Reboot(host))
    }
}

/// The outages of a case as one end sees them; `None` where they cannot be told: its own host crashes or reboots, data is written so
/// shortly before a fault that its acknowledgement may be lost, or more than one write is lost.
///
/// An exchange counts as over when everything is acknowledged on both ends. (Linux delays the last acknowledgement by up to 40 ms: a fault
/// before it leaves the answering end with data in flight, and its retransmissions restart the asking end's keepalive timer.)
/// A reboot counts as done when the host has fallen silent; its downtime runs on beside the next steps.
///
/// *Why not its own crash?* How a host is silenced decides what its own sends return: a queue that drops counts as local
/// congestion, which `tcp_keepalive_timer` tries again twice a second without counting it as a probe.
#[must_use]
pub fn outages(case: &Case, end: End, hz: Hz) -> Option<Vec<Outage>> {
    let keepalive = case.connection.end(end).keepalive;
    let mut walk = Walk {
        end,
        keepalive: keepalive.map(EffectiveKeepalive::new),
        hz,
        silence: Span::up_to(STEP_TIME),
        age: Span::up_to(STEP_TIME),
        active: Vec::new(),
        probes: Some(0),
        unacknowledged: false,
        outages: Vec::new(),
    };
    for step in &case.steps {
        walk.wait(step)?;
        walk.act(&step.action)?;
    }
    Some(walk.outages)
}

struct Walk {
    end: End,
    keepalive: Option<EffectiveKeepalive>,
    hz: Hz,
    /// Since the last received segment.
    silence: Span,
    /// Since the connection was established.
    age: Span,
    active: Vec<Fault>,
    /// Unanswered so far; `None` where not known.
    probes: Option<u32>,
    /// Data was just written, and its acknowledgement may still be under way.
    unacknowledged: bool,
    outages: Vec<Outage>,
}

impl Walk {
    fn wait(&mut self, step: &Step) -> Option<()> {
        match step.start {
            Start::AtOnce => self.pass(Span::up_to(STEP_TIME), false),
            Start::After(time) => self.pass(Span::exactly(time).late_by(STEP_TIME), true),
            Start::When { count, what } => self.count_probes(count, what)?,
        }
        Some(())
    }

    fn pass(&mut self, time: Span, long: bool) {
        self.age = self.age + time;
        self.silence = self.silence + time;
        self.unacknowledged &= time.min < ACKNOWLEDGED;
        let Some(keepalive) = self.keepalive else {
            return;
        };
        if self.silence.max < keepalive.idle {
            return;
        }
        if self.active.is_empty() {
            self.silence = Span::up_to(keepalive.answered_period(self.hz) + STEP_TIME);
        } else if long {
            self.probes = None;
        }
    }

    fn count_probes(&mut self, count: u32, what: ProbeEvent) -> Option<()> {
        let keepalive = self.keepalive?;
        let answered = self.active.is_empty();
        let due = if answered {
            keepalive.tick(0, self.hz).max + keepalive.answered_period(self.hz) * (count - 1)
        } else {
            if self.outages.last()?.written.is_some() {
                return None;
            }
            let probes = self.probes? + count;
            self.probes = Some(probes);
            let tick = keepalive.tick(probes - 1, self.hz).late_by(STEP_TIME);
            self.age = self.age + tick.after(self.silence);
            self.silence = tick;
            return (what == ProbeEvent::Sent).then_some(());
        };
        self.age = self.age + Span::up_to(due + STEP_TIME);
        self.silence = Span::up_to(STEP_TIME);
        self.unacknowledged = false;
        Some(())
    }

    fn act(&mut self, action: &Action) -> Option<()> {
        match action {
            Action::Exchange { .. } if self.active.is_empty() => {
                self.received();
                self.unacknowledged = false;
            }
            Action::Send { from, .. } if self.active.is_empty() => {
                self.received();
                self.unacknowledged = *from == self.end;
            }
            Action::Exchange { from, payload } => {
                self.write(*from, u32::try_from(payload.len()).ok()?)?;
            }
            Action::Send { from, bytes } => self.write(*from, *bytes)?,
            Action::Cable { at, change } => match change {
                CableChange::Pull => self.fail(Fault::Cable(*at))?,
                CableChange::Plug => self.undo(|fault| fault == Fault::Cable(*at)),
            },
            // When an answer comes, and the retransmission timeout with it, is another matter then.
            Action::Delay { .. } => return None,
            Action::Crash { host } => self.fail(Fault::Crash(*host))?,
            Action::Resume { host } => self.undo(|fault| fault == Fault::Crash(*host)),
            Action::Reboot { host, downtime } => {
                if self.active.contains(&Fault::Crash(*host)) {
                    self.reboot_crashed(*host)?;
                } else {
                    self.fail(Fault::Reboot(*host))?;
                }
                let back = Span::exactly(*downtime).late_by(STEP_TIME);
                self.come_back(self.silence + back, None);
            }
            Action::Route { on, to, change } => {
                let same = |fault| matches!(fault, Fault::Route(n, t, _) if (n, t) == (*on, *to));
                if *change == RouteChange::Restore {
                    self.undo(same);
                } else {
                    self.fail(Fault::Route(*on, *to, *change))?;
                    let new = self.active.len() - 1;
                    let mut place = 0..;
                    self.active
                        .retain(|fault| place.next() == Some(new) || !same(*fault));
                }
            }
        }
        Some(())
    }

    fn received(&mut self) {
        self.age = self.age.late_by(STEP_TIME);
        self.silence = Span::up_to(STEP_TIME);
    }

    fn write(&mut self, from: End, bytes: u32) -> Option<()> {
        let at = self.silence;
        let end = self.end;
        let outage = self.outages.last_mut()?;
        if from != end {
            outage.peer_wrote = true;
            return Some(());
        }
        // Each further write restarts the loss probe.
        outage
            .written
            .replace(Written { at, bytes })
            .is_none()
            .then_some(())
    }

    fn fail(&mut self, fault: Fault) -> Option<()> {
        let own = matches!(fault, Fault::Crash(host) | Fault::Reboot(host) if host == self.end);
        if own || self.unacknowledged {
            return None;
        }
        if self.active.is_empty() {
            self.probes = (self.keepalive.is_none_or(|k| self.silence.max < k.idle)).then_some(0);
            self.outages.push(Outage {
                faults: Vec::new(),
                begins: self.silence,
                age: self.age,
                back: None,
                written: None,
                peer_wrote: false,
                probed: self.keepalive.is_some_and(|k| self.age.max >= k.idle),
            });
        }
        self.active.push(fault);
        let outage = self.outages.last_mut()?;
        outage.faults.push(fault);
        // A host that comes back from a reboot does not make whole what else is broken.
        outage.back = outage.back.filter(|_| outage.faults.len() == 1);
        Some(())
    }

    /// A machine that hangs and is switched off and on: one outage, from the crash to the end of the reboot.
    fn reboot_crashed(&mut self, host: End) -> Option<()> {
        let broken = self.outages.last_mut()?.faults.iter_mut();
        let crashes = broken
            .chain(&mut self.active)
            .filter(|fault| **fault == Fault::Crash(host));
        crashes.for_each(|crash| *crash = Fault::Reboot(host));
        Some(())
    }

    fn undo(&mut self, broken: impl Fn(Fault) -> bool) {
        let before = self.active.len();
        self.active.retain(|fault| !broken(*fault));
        if before > 0 && self.active.is_empty() {
            self.come_back(self.silence, self.probes.filter(|probes| *probes > 0));
            if let Some(keepalive) = self.keepalive {
                let restart = keepalive.answered_period(self.hz);
                self.silence = Span::up_to(self.silence.max + restart);
            }
        }
    }

    fn come_back(&mut self, at: Span, after_probes: Option<u32>) {
        if let Some(outage) = self.outages.last_mut() {
            outage.back = Some(Moment { at, after_probes });
        }
    }
}
