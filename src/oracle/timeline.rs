//! A case's steps as outages: when the path is broken, from when to when, and what is
//! unacknowledged meanwhile.

mod time;

use std::time::Duration;

use super::interval::Interval;
use super::outage::{Fault, Outage, PathReturn, Written};
use super::plain_path;
use super::tracking::Tracking;
use crate::model::{
    EffectiveKeepalive, End, Family, Firewall, Hz, Role, STEP_TIME, Segments, Side, Which,
};
use crate::scenario::Case;
use crate::setting;
use crate::step::{Action, ProgramAction, Start};
use crate::world::{self, Change, World};

/// A delayed acknowledgement (`TCP_DELACK_MIN`) and a step: data older than this is acknowledged
/// while the path is whole.
const ACKNOWLEDGED: Duration = Duration::from_millis(100);

/// A case as one end sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// In order.
    pub(crate) outages: Vec<Outage>,
    /// Since the last segment that the end received, when the last step is over.
    pub silence: Interval,
}

/// A case as one end sees it; `None` where that cannot be told: its own host crashes or reboots,
/// data is written so shortly before a fault that its acknowledgement may be lost, more than one
/// write is lost, something breaks besides a firewall's memory, or a keepalive probe
/// may come before a firewall forgets the flow or after, or a step waits for probes that may be
/// others over the other family.
///
/// An exchange counts as over when everything is acknowledged on both ends. (Linux delays the last
/// acknowledgement by up to 40 ms: a fault before it leaves the answering end with data in flight,
/// and its retransmissions restart the asking end's keepalive timer.) A reboot counts as done when
/// the host has fallen silent; its downtime runs on beside the next steps.
///
/// *Why not its own crash?* How a host is silenced decides what its own sends return: what is
/// dropped on its way out counts as local congestion (`nf_hook_egress`), which
/// `tcp_keepalive_timer` tries again twice a second without counting it as a probe.
#[must_use]
pub fn timeline(case: &Case, end: End, hz: Hz) -> Option<Timeline> {
    if [End::Client, End::Server]
        .iter()
        .any(|end| setting::has_no_rule(case.connection.end(*end)))
    {
        return None;
    }
    if !plain_path::is_plain(case) {
        return None;
    }
    let keepalive = case.connection.end(end).keepalive;
    let mut walk = Walk {
        world: case.world(),
        end,
        keepalive: keepalive.map(EffectiveKeepalive::new),
        hz,
        silence: Interval::up_to(STEP_TIME),
        age: Interval::up_to(STEP_TIME),
        tracking: Tracking::new(case, hz),
        firewall: case.firewall,
        server_probes: case.connection.server.keepalive.is_some(),
        sends_unaddressed: case.family == Family::Ipv6
            && case
                .topology
                .machines()
                .iter()
                .any(|machine| machine.role == Role::Router),
        active: Vec::new(),
        probes: Some(0),
        unacknowledged: false,
        outages: Vec::new(),
    };
    // Whether the variants of the case have met the same so far, and are at the same step at the
    // same time.
    let (mut alike, mut abreast) = (true, true);
    for (position, step) in case.steps.iter().enumerate() {
        // The other variant may see its probes at another time, and a step at the lab waits for
        // both.
        let waits = matches!(step.start, Start::When { .. });
        if (!alike && waits) || (!abreast && step.action.is_at_network()) {
            return None;
        }
        alike &= step.family.is_none();
        // What a variant does by itself may take it longer than the other.
        abreast &= alike || step.action.is_at_network();
        walk.wait(step)?;
        walk.world.advance(position, step.time());
        // What is done to the other family is done to another path.
        if step.applies_to(case.family) {
            walk.act(&step.action)?;
        }
    }
    let silence = walk.silence;
    walk.forget_for_lack_of_probes()?;
    let outages = walk.outages;
    Some(Timeline { outages, silence })
}

struct Walk {
    /// The network as the steps have left it.
    world: World,
    end: End,
    keepalive: Option<EffectiveKeepalive>,
    hz: Hz,
    /// Since the last received segment.
    silence: Interval,
    /// Since the connection was established.
    age: Interval,
    /// What a firewall on the way knows of the flow.
    tracking: Option<Tracking>,
    /// The firewall on the way, whatever it knows.
    firewall: Option<Firewall>,
    /// Whether the server has keepalive.
    server_probes: bool,
    /// Whether a host goes on sending without its address.
    sends_unaddressed: bool,
    active: Vec<Fault>,
    /// Unanswered so far; `None` where not known.
    probes: Option<u32>,
    /// Data was just written, and its acknowledgement may still be under way.
    unacknowledged: bool,
    outages: Vec<Outage>,
}

impl Walk {
    fn act(&mut self, action: &Action) -> Option<()> {
        match action {
            Action::Network(_) => {
                action.act(&mut self.world).ok()?;
                // A route that changes once more is not whole in between.
                let is_end = |change: &Change| matches!(change, Change::Ended(_));
                let (ended, others): (Vec<Change>, Vec<Change>) =
                    self.world.take_changes().into_iter().partition(is_end);
                let mut changes = others.into_iter().chain(ended);
                changes.try_for_each(|change| self.change(change))
            }
            Action::Program(action) => self.program(action),
        }
    }

    fn program(&mut self, action: &ProgramAction) -> Option<()> {
        match action {
            ProgramAction::Exchange(_) if self.active.is_empty() => {
                self.received();
                self.unacknowledged = false;
                Some(())
            }
            ProgramAction::SendData(send) if self.active.is_empty() => {
                self.received();
                self.unacknowledged = send.from == self.end;
                Some(())
            }
            ProgramAction::Exchange(exchange) => {
                self.write(exchange.from, u32::try_from(exchange.payload.len()).ok()?)
            }
            ProgramAction::SendData(send) => self.write(send.from, send.bytes),
            // The time of the next answer, and so the retransmission timeout, is unknown then.
            ProgramAction::Connect(_)
            | ProgramAction::Fill(_)
            | ProgramAction::Listener(_)
            | ProgramAction::Socket(_)
            | ProgramAction::Process(_)
            | ProgramAction::Reader(_) => None,
        }
    }

    /// `None` for a change that comes and goes by itself, that hits some segments and not others,
    /// or that a router makes at an odd time.
    fn change(&mut self, change: Change) -> Option<()> {
        match change {
            Change::Began(fault) => self.began(fault),
            Change::Ended(fault) => self.ended(&fault),
            // A neighbour goes on sending to the old address until it is in doubt, by its own
            // timers.
            Change::Rebooted { new_mac: true, .. } => None,
            Change::Rebooted { host, downtime, .. } => {
                if self.active.contains(&Fault::Crash(host)) {
                    self.reboot_crashed(host)?;
                } else {
                    self.fail(Fault::Reboot(host))?;
                }
                let back = Interval::exactly(downtime).late_by(STEP_TIME);
                self.come_back(self.silence + back, None);
                Some(())
            }
            // A node without the entry asks for it, and the answer comes at once.
            Change::NeighbourRemoved(..) => self.active.is_empty().then_some(()),
            Change::FlowsFlushed(_) => self.flush(),
            Change::FlowTimeout(_) => None,
        }
    }

    fn began(&mut self, fault: world::Fault) -> Option<()> {
        let fault = match fault {
            world::Fault::Link(Side::Cable(at)) => Fault::Cable(at),
            world::Fault::Link(Side::Link(at, to)) => Fault::Link(at, to),
            world::Fault::Silent(host) => Fault::Crash(host),
            world::Fault::Route(on, to, change) => Fault::Route(on, to, change),
            world::Fault::Filter(_, filter) if filter.what == Segments::Any => {
                Fault::Filtered(filter)
            }
            world::Fault::Loss(_, loss)
                if loss.what == Segments::Any && loss.which == Which::All =>
            {
                Fault::Lost(loss.to)
            }
            world::Fault::WrongNeighbour(on, to) => Fault::Misdirected(on, to),
            // A router that does not forward drops in silence (ip_error, ip6_forward).
            world::Fault::NotForwarding(_) => Fault::NotForwarded,
            // An IPv6 host goes on sending through a router from the address that it has no more
            // (ip6_route_output asks for no source), and drops the answers.
            world::Fault::NoAddress(at) if at == self.end && self.sends_unaddressed => {
                return None;
            }
            world::Fault::NoAddress(at) => Fault::Unaddressed(at),
            // They come with the reboot.
            world::Fault::Forgotten(_) | world::Fault::Down(_) => return Some(()),
            world::Fault::Filter(..)
            | world::Fault::Loss(..)
            | world::Fault::Flapping(_)
            | world::Fault::Narrow(..)
            | world::Fault::Untold(_)
            | world::Fault::Impaired(_)
            | world::Fault::Unread(_)
            | world::Fault::Shut(_)
            | world::Fault::Closed(_)
            | world::Fault::Destroyed(_)
            | world::Fault::NotAccepting { .. }
            | world::Fault::Unopened
            | world::Fault::Unconnected => return None,
        };
        self.fail(fault)
    }

    fn ended(&mut self, fault: &world::Fault) -> Option<()> {
        match fault {
            world::Fault::Link(Side::Cable(at)) => self.undo(|fault| fault == Fault::Cable(*at)),
            world::Fault::Link(Side::Link(at, to)) => {
                self.undo(|fault| fault == Fault::Link(*at, *to));
            }
            world::Fault::Silent(host) => self.undo(|fault| fault == Fault::Crash(*host)),
            world::Fault::Route(on, to, change) => {
                self.undo(|fault| fault == Fault::Route(*on, *to, *change));
            }
            world::Fault::Filter(..) => self.undo(|fault| matches!(fault, Fault::Filtered(_))),
            world::Fault::Loss(_, loss) => self.undo(|fault| fault == Fault::Lost(loss.to)),
            world::Fault::WrongNeighbour(on, to) => {
                self.undo(|fault| fault == Fault::Misdirected(*on, *to));
            }
            world::Fault::NotForwarding(_) => self.undo(|fault| fault == Fault::NotForwarded),
            world::Fault::NoAddress(at) => self.undo(|fault| fault == Fault::Unaddressed(*at)),
            world::Fault::Forgotten(_)
            | world::Fault::Down(_)
            | world::Fault::Flapping(_)
            | world::Fault::Narrow(..)
            | world::Fault::Untold(_)
            | world::Fault::Impaired(_)
            | world::Fault::Unread(_)
            | world::Fault::Shut(_)
            | world::Fault::Closed(_)
            | world::Fault::Destroyed(_)
            | world::Fault::NotAccepting { .. }
            | world::Fault::Unopened
            | world::Fault::Unconnected => {}
        }
        Some(())
    }

    /// Behind NAT, what the server sends then reaches the router itself.
    fn forget(&mut self) -> Option<()> {
        if self.firewall.is_some_and(|firewall| firewall.nat) && self.end == End::Server {
            return None;
        }
        self.lose(Fault::Forgotten)
    }

    /// What a strict firewall has forgotten begins no flow (`tcp_new`), and any segment makes known
    /// to a loose one. Behind NAT this holds for what the client sends; what the server sends
    /// then reaches the router itself, which answers with a RST.
    fn flush(&mut self) -> Option<()> {
        let firewall = self.firewall?;
        if firewall.nat && (self.end == End::Server || self.server_probes || firewall.loose) {
            return None;
        }
        if firewall.loose {
            return Some(());
        }
        self.lose(Fault::Flushed)
    }

    fn received(&mut self) {
        self.age = self.age.late_by(STEP_TIME);
        self.heard();
    }

    fn heard(&mut self) {
        self.silence = Interval::up_to(STEP_TIME);
        if let Some(tracking) = &mut self.tracking {
            tracking.unseen = Interval::up_to(STEP_TIME);
        }
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
        // What a firewall makes of the segments that come after another fault is another matter.
        if own || self.firewall.is_some() {
            return None;
        }
        self.lose(fault)
    }

    fn lose(&mut self, fault: Fault) -> Option<()> {
        if self.unacknowledged {
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

    /// A machine that hangs and is switched off and on: one outage, from the crash to the end of
    /// the reboot.
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
                self.silence = Interval::up_to(self.silence.max + restart);
            }
        }
    }

    fn come_back(&mut self, at: Interval, after_probes: Option<u32>) {
        if let Some(outage) = self.outages.last_mut() {
            outage.back = Some(PathReturn { at, after_probes });
        }
    }
}
