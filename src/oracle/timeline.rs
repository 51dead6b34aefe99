//! The outages that result from the steps of a case: the begin and the end of each, and the data
//! that is unacknowledged meanwhile.

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

/// The time of a delayed acknowledgement (`TCP_DELACK_MIN`) and of a step: older data is
/// acknowledged while the path is whole.
const ACKNOWLEDGED: Duration = Duration::from_millis(100);

/// The outages of a case from the view of one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// The outages, in order.
    pub(crate) outages: Vec<Outage>,
    /// The time since the last received segment at the end of the last step.
    pub(crate) silence: Interval,
}

/// Returns the outages of a case from the view of `end`, at tick rate `hz`. `None` if there is no
/// rule for the case:
///
/// * a setting of an end has no rule, or the network is not a plain path (see `plain_path`)
/// * the end's own host crashes or reboots
/// * data is written so shortly before a fault that its acknowledgement may be lost
/// * more than one write is lost
/// * something other than the firewall's flow table fails while a firewall is on the path
/// * a keepalive probe may come either before or after the firewall removes the flow
/// * a step waits for probes that the other family may see at another time
///
/// An exchange counts as complete when all data is acknowledged at both ends. (Linux delays the
/// last acknowledgement by up to 40 ms. A fault before it leaves the answering end with data in
/// flight, and its retransmissions restart the asking end's keepalive timer.) A reboot step counts
/// as complete when the host is silent; its downtime continues during the next steps.
///
/// *Why is the end's own crash excluded?* The return value of the host's own sends depends on how
/// the host is silenced: a packet that is dropped on its way out counts as local congestion
/// (`nf_hook_egress`), which `tcp_keepalive_timer` retries twice a second without counting it as a
/// probe.
#[must_use]
pub(crate) fn timeline(case: &Case, end: End, hz: Hz) -> Option<Timeline> {
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
    // `in_sync`: all steps so far applied to both variants of a dual-stack case. `same_step`: both
    // variants are at the same step at the same time.
    let (mut in_sync, mut same_step) = (true, true);
    for (position, step) in case.steps.iter().enumerate() {
        // The other variant may see its probes at another time, and a step at the network waits for
        // both variants.
        let waits = matches!(step.start, Start::When { .. });
        if (!in_sync && waits) || (!same_step && step.action.is_at_network()) {
            return None;
        }
        in_sync &= step.family.is_none();
        // A step that each variant takes separately may take one of them longer.
        same_step &= in_sync || step.action.is_at_network();
        walk.wait(step)?;
        walk.world.advance(position, step.time());
        // A step of the other family does not affect this path.
        if step.applies_to(case.family) {
            walk.act(&step.action)?;
        }
    }
    let silence = walk.silence;
    walk.forget_before_next_probe()?;
    let outages = walk.outages;
    Some(Timeline { outages, silence })
}

struct Walk {
    /// The state of the network after the steps so far.
    world: World,
    end: End,
    keepalive: Option<EffectiveKeepalive>,
    hz: Hz,
    /// The time since the last received segment.
    silence: Interval,
    /// The age of the connection.
    age: Interval,
    /// The flow's entry in a strict firewall on the path.
    tracking: Option<Tracking>,
    /// The firewall on the path, strict or loose.
    firewall: Option<Firewall>,
    /// Whether the server has keepalive.
    server_probes: bool,
    /// Whether a host without its address continues to send.
    sends_unaddressed: bool,
    active: Vec<Fault>,
    /// The number of unanswered probes so far; `None` if unknown.
    probes: Option<u32>,
    /// Whether data was just written, so that its acknowledgement may be in flight.
    unacknowledged: bool,
    outages: Vec<Outage>,
}

impl Walk {
    fn act(&mut self, action: &Action) -> Option<()> {
        match action {
            Action::Network(_) => {
                action.act(&mut self.world).ok()?;
                // If one step ends a fault and begins another (a route that changes again), the
                // path is not whole in between: the new fault is applied first.
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
            // The time of the next answer, and so the retransmission timeout, is unknown after
            // these.
            ProgramAction::Connect(_)
            | ProgramAction::Fill(_)
            | ProgramAction::Listener(_)
            | ProgramAction::Socket(_)
            | ProgramAction::Process(_)
            | ProgramAction::Reader(_) => None,
        }
    }

    /// Applies a change of the network. `None` for a change that comes and goes by itself, that
    /// affects only some segments, or that a router makes at an unknown time.
    fn change(&mut self, change: Change) -> Option<()> {
        match change {
            Change::Began(fault) => self.began(fault),
            Change::Ended(fault) => self.ended(&fault),
            // A neighbour continues to send to the old hardware address until its entry becomes
            // stale and fails, by its own timers.
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
            // A node without the entry sends a request, and the answer comes at once.
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
            // An IPv6 host continues to send through a router from the address that was removed
            // (ip6_route_output does not check the source address), and drops the answers.
            world::Fault::NoAddress(at) if at == self.end && self.sends_unaddressed => {
                return None;
            }
            world::Fault::NoAddress(at) => Fault::Unaddressed(at),
            // These faults are part of a reboot.
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

    /// The firewall removes the flow by its timeout. Behind NAT a segment of the server is then for
    /// the router itself, so there is no rule for the server.
    fn forget(&mut self) -> Option<()> {
        if self.firewall.is_some_and(|firewall| firewall.nat) && self.end == End::Server {
            return None;
        }
        self.lose(Fault::Forgotten)
    }

    /// A step removes all flows of the firewall. With strict tracking a segment from the middle of
    /// a flow does not create one (`tcp_new`); with loose tracking any segment does. Behind NAT
    /// this holds for the client's segments; a segment of the server is then for the router itself,
    /// which answers with a RST.
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
        // A second write restarts the loss probe, so there is no rule for it.
        outage
            .written
            .replace(Written { at, bytes })
            .is_none()
            .then_some(())
    }

    fn fail(&mut self, fault: Fault) -> Option<()> {
        let own = matches!(fault, Fault::Crash(host) | Fault::Reboot(host) if host == self.end);
        // There is no rule for the effect of a firewall on the segments after another fault.
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
        // The return of a rebooted host does not repair the other faults.
        outage.back = outage.back.filter(|_| outage.faults.len() == 1);
        Some(())
    }

    /// A crashed host that is then rebooted: one outage, from the crash to the end of the reboot.
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
