//! The prediction for one end of a case.

use std::time::Duration;

use super::errors::{self, NEIGHBOUR_KEPT};
use super::interval::Interval;
use super::keepalive::Death;
use super::outage::{Fault, Outage, Written};
use super::prediction::{Origin, PredictedOutcome, Prediction};
use super::reach::{Reach, Schedule, reach};
use super::retransmission::{InFlight, Stuck};
use super::timeline::timeline;
use super::wording;
use crate::model::{EffectiveKeepalive, End, Hz, STEP_TIME};
use crate::scenario::Case;

/// The time for which a segment may wait for its neighbour's address, with the timers' lateness and
/// the link watcher's delay.
const HELD: Duration = Duration::from_secs(5);

/// The rule of an end without a timer that could detect an outage.
pub(crate) const NO_TIMER: &str = "no keepalive and nothing in flight: no timer runs, so nothing is ever noticed (tcp_keepalive_timer)";

/// Returns the predicted outcome of `end` in this case on a kernel with this HZ. `None` if the
/// rules do not determine the outcome:
///
/// * the end's own host crashes or reboots
/// * the end's own carrier is lost with data in flight
/// * data is written less than 100 ms before a fault
/// * several writes during one outage
/// * several faults with data in flight
/// * a return of the path at the time of the last probe
/// * any fault behind a firewall, except the removal of the flow
/// * any case with more than one path between the ends, with a step off the only path, or with a
///   link of a smaller MTU
/// * an end that may first get the RST of the other end's keepalive
#[must_use]
pub(super) fn predict(case: &Case, end: End, hz: Hz) -> Option<Prediction> {
    let settings = case.connection.end(end);
    let keepalive = settings.keepalive.map(EffectiveKeepalive::new);
    let outages = timeline(case, end, hz)?.outages;
    let view = View {
        case,
        end,
        keepalive,
        hz,
    };
    for outage in &outages {
        match view.outcome(outage)? {
            Some(prediction) => return Some(wording::explain(outage, case.firewall, prediction)),
            None => continue,
        }
    }
    // The outcome depends on which end sends first after the router has removed the flow.
    if case
        .firewall
        .is_some_and(|firewall| firewall.nat && firewall.loose)
    {
        return None;
    }
    let in_flight = outages.iter().any(|outage| outage.written.is_some());
    let rule = match (outages.is_empty(), keepalive.is_some() || in_flight) {
        (true, _) => wording::nothing_lost(case.firewall),
        (false, false) => NO_TIMER,
        (false, true) => {
            "the path is back before the timer gives up, and the answer restarts it (tcp_ack clears icsk_probes_out)"
        }
    };
    Some(Prediction {
        outcome: PredictedOutcome::Survives,
        rule: rule.to_owned(),
    })
}

/// One end of one case.
struct View<'a> {
    case: &'a Case,
    end: End,
    keepalive: Option<EffectiveKeepalive>,
    hz: Hz,
}

/// The prediction of an error, or the inner `None` for an outage that is survived; the outer `None`
/// if the rules do not determine it.
type Settled = Option<Option<Prediction>>;

impl View<'_> {
    fn outcome(&self, outage: &Outage) -> Settled {
        if outage.forgets(self.end.peer()) && outage.faults.len() > 1 {
            return None;
        }
        let resets = outage.resets(self.end.peer()) || outage.resets(self.end);
        if let Some(settled) = resets.then(|| self.rejected(outage)).flatten() {
            return settled;
        }
        match (outage.written, self.keepalive) {
            (Some(written), keepalive) => {
                if let Some(idle) = keepalive
                    && let Some(prediction) = self.idle_before(outage, idle, written)?
                {
                    return Some(Some(prediction));
                }
                self.in_flight(outage, written)
            }
            (None, Some(keepalive)) => self.idle(outage, keepalive),
            (None, None) => self.peer_is_silent(outage, None).then_some(None),
        }
    }

    /// The outcome of an outage in which a router answers with a RST in the name of one of the
    /// ends. The RST carries the number that the segment acknowledges (`nf_reject_ip_tcphdr_put`),
    /// which is exactly the number that its receiver expects next, so it is accepted
    /// (`tcp_validate_incoming`). The outermost `None`: this end gets no RST, and the outage is
    /// silence for it.
    fn rejected(&self, outage: &Outage) -> Option<Settled> {
        let peer = self.case.connection.end(self.end.peer());
        // The other end's own segments, or its answers to this end, may be rejected too.
        let quiet = peer.keepalive.is_none() && !outage.peer_wrote;
        let alone = outage.only_fault().is_some() && outage.back.is_none();
        if !(quiet && alone) {
            return Some(None);
        }
        if !outage.resets(self.end.peer()) {
            return None;
        }
        let (window, formula, since) = match (outage.written, self.keepalive) {
            (Some(written), keepalive) => {
                if keepalive.is_some_and(|k| written.at.max >= k.tick(0, self.hz).min) {
                    return Some(None);
                }
                let formula = "first transmission".to_owned();
                (
                    Interval::up_to(STEP_TIME),
                    formula,
                    Origin::FirstUnacknowledged,
                )
            }
            (None, Some(keepalive)) => {
                if outage.begins.max >= keepalive.idle || outage.probed {
                    return Some(None);
                }
                let mut first = keepalive.tick(0, self.hz);
                let slack = EffectiveKeepalive::first_probe_slack(self.hz);
                first.min = first.min.saturating_sub(slack);
                let formula = format!("idle {:?}, the first probe", keepalive.idle);
                (first, formula, Origin::LastReceived)
            }
            (None, None) => return None,
        };
        Some(Some(Some(wording::rejected(window, formula, since))))
    }

    /// The outcome of keepalive before the write, if keepalive may have ended the connection by
    /// then.
    fn idle_before(&self, outage: &Outage, keepalive: EffectiveKeepalive, w: Written) -> Settled {
        if w.at.max < keepalive.tick(0, self.hz).min {
            return Some(None);
        }
        let prediction = self.idle(outage, keepalive)?;
        let Some(PredictedOutcome::Error { window, .. }) = prediction.as_ref().map(|p| &p.outcome)
        else {
            return Some(None);
        };
        if window.latest < w.at.min {
            Some(prediction)
        } else if window.earliest > w.at.max {
            Some(None)
        } else {
            None
        }
    }

    fn idle(&self, outage: &Outage, keepalive: EffectiveKeepalive) -> Settled {
        if outage.probed && keepalive.interval > keepalive.idle {
            return None;
        }
        let death = keepalive.death(self.user_timeout(), self.hz);
        let reached = match outage.back {
            None => Reach::TooLate,
            Some(_) if outage.peer_wrote && !outage.blocks(self.end) => Reach::Unsettled,
            Some(back) => reach(
                &self.probes(keepalive, death),
                back,
                self.held(outage, back.at),
            ),
        };
        match reached {
            Reach::Unsettled => None,
            Reach::TooLate if !self.peer_is_silent(outage, Some(death.window.max)) => None,
            Reach::TooLate => Some(Some(self.unanswered(outage, keepalive, death))),
            Reach::Reaches(span) if outage.forgets(self.end.peer()) => Some(Some(wording::reset(
                span,
                wording::keepalive_formula(keepalive),
                Origin::LastReceived,
            ))),
            Reach::Reaches(_) => self.peer_lives(outage).then_some(None),
        }
    }

    fn unanswered(
        &self,
        outage: &Outage,
        keepalive: EffectiveKeepalive,
        death: Death,
    ) -> Prediction {
        let errno = errors::idle(self.case.family, self.end, &outage.faults);
        wording::unanswered(errno, keepalive, self.user_timeout(), death.window)
    }

    fn in_flight(&self, outage: &Outage, written: Written) -> Settled {
        let fault = outage.only_fault()?;
        let case = self.case;
        let (stuck, answer) = errors::in_flight(case.family, &case.topology, self.end, fault)?;
        let mut flight = InFlight {
            user_timeout: self.user_timeout(),
            bytes: written.bytes,
            stuck,
            held: false,
        };
        let age = outage.age + written.at;
        flight.held = answer == errors::Answer::Neighbour && age.max >= NEIGHBOUR_KEPT;
        let mut window = flight.death(self.hz);
        // No ICMP error comes if the neighbour entry stays valid during the whole silence.
        let silence = outage.back.map_or(window.max, |back| {
            back.at.after(written.at).max.min(window.max)
        });
        if answer == errors::Answer::Neighbour && age.max + silence >= NEIGHBOUR_KEPT {
            flight.stuck = errors::reverted_by_host_unreachable(case.family);
            window = flight.death(self.hz);
        }
        if !self.peer_is_silent(outage, Some(written.at.max + window.max)) {
            return None;
        }
        if let Some(back) = outage.back {
            let mut back = back;
            back.at = back.at.after(written.at);
            back.after_probes = None;
            let schedule = transmissions(&flight, window, self.hz)?;
            match reach(&schedule, back, self.held(outage, back.at)) {
                Reach::Unsettled => return None,
                Reach::Reaches(span) if outage.forgets(self.end.peer()) => {
                    let formula = "first retransmission after the return".to_owned();
                    return Some(Some(wording::reset(
                        span,
                        formula,
                        Origin::FirstUnacknowledged,
                    )));
                }
                Reach::Reaches(_) => return self.peer_lives(outage).then_some(None),
                Reach::TooLate => {}
            }
        }
        let errno = answer.errno(window, age, self.hz);
        let rule = wording::flight_rule(&flight);
        let formula = flight.formula();
        Some(Some(wording::error(
            errno,
            window,
            Origin::FirstUnacknowledged,
            formula,
            rule,
        )))
    }

    fn user_timeout(&self) -> Option<Duration> {
        let timeout = self.case.connection.end(self.end).user_timeout;
        timeout.filter(|timeout| !timeout.is_zero())
    }

    fn probes(&self, keepalive: EffectiveKeepalive, death: Death) -> Schedule {
        let mut at: Vec<Interval> = (0..death.last_tick)
            .map(|k| keepalive.tick(k, self.hz))
            .collect();
        if let Some(first) = at.first_mut() {
            let slack = EffectiveKeepalive::first_probe_slack(self.hz);
            first.min = first.min.saturating_sub(slack);
        }
        let certain = death.first_tick as usize;
        Schedule { at, certain }
    }

    /// The time for which a segment may wait for a neighbour's address: zero while the neighbour
    /// entries are valid.
    fn held(&self, outage: &Outage, back: Interval) -> Duration {
        let cable = |fault: &Fault| matches!(fault, Fault::Cable(_) | Fault::Link(..));
        if outage.faults.iter().any(cable) || outage.age.max + back.max >= NEIGHBOUR_KEPT {
            HELD
        } else {
            Duration::ZERO
        }
    }

    /// The earliest time at which the other end's keepalive may give up, from this end's last
    /// received segment.
    fn peer_gives_up(&self, outage: &Outage) -> Option<Duration> {
        let peer = self.case.connection.end(self.end.peer());
        let keepalive = EffectiveKeepalive::new(peer.keepalive?);
        let death = keepalive.death(peer.user_timeout, self.hz).window.min;
        let silence = keepalive.answered_period(self.hz).min(outage.age.max) + STEP_TIME;
        Some(death.saturating_sub(silence))
    }

    /// Returns whether no RST of the other end can arrive before this end has given up, or ever
    /// (`ours` is `None`). If only the path *to* the other end is broken, the other end's keepalive
    /// goes unanswered too, and the RST that it sends when it gives up arrives.
    fn peer_is_silent(&self, outage: &Outage, ours: Option<Duration>) -> bool {
        if outage.blocks(self.end) || outage.forgets(self.end.peer()) {
            return true;
        }
        match (self.peer_gives_up(outage), ours) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(theirs), Some(ours)) => ours + STEP_TIME < theirs,
        }
    }

    /// Returns whether the other end cannot have given up before the path came back.
    fn peer_lives(&self, outage: &Outage) -> bool {
        let peer = self.case.connection.end(self.end.peer());
        let back = outage.back.map_or(Duration::ZERO, |back| back.at.max);
        let gave_up = self.peer_gives_up(outage).is_some_and(|time| time <= back);
        let timed = outage.peer_wrote && peer.user_timeout.is_some();
        !(gave_up || timed)
    }
}

/// The transmissions of the data before the timer gives up; `None` if ICMP errors change their
/// times.
fn transmissions(flight: &InFlight, death: Interval, hz: Hz) -> Option<Schedule> {
    if flight.stuck == Stuck::Reverted || flight.held {
        return None;
    }
    let mut at = vec![Interval::up_to(STEP_TIME)];
    at.extend(flight.loss_probe(hz));
    for n in 0..64 {
        let next = flight.transmission(n, hz);
        if next.min >= death.max {
            break;
        }
        at.push(next);
    }
    let certain = at.iter().take_while(|at| at.max < death.min).count();
    Some(Schedule { at, certain })
}

#[cfg(test)]
mod middlebox_tests;
#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod tests;
