//! The rules in text form.

use std::time::Duration;

use nix::errno::Errno;

use super::errors;
use super::interval::Interval;
use super::outage::{Fault, Outage};
use super::prediction::{Origin, PredictedOutcome, PredictedWindow, Prediction};
use super::retransmission::{InFlight, Stuck};
use crate::model::{EffectiveKeepalive, ErrnoName, Firewall};

/// The prediction for keepalive that gives up.
pub(super) fn unanswered(
    errno: Option<ErrnoName>,
    keepalive: EffectiveKeepalive,
    user_timeout: Option<Duration>,
    window: Interval,
) -> Prediction {
    let (idle, interval) = (keepalive.idle, keepalive.interval);
    let (rule, formula) = match user_timeout {
        Some(timeout) => (
            format!(
                "user timeout: the first keepalive tick at which {timeout:?} of silence are over and a probe is unanswered; \
                     the number of probes is ignored (tcp_keepalive_timer)"
            ),
            format!(
                "first of idle {idle:?} + n x {interval:?} at or after user timeout {timeout:?}"
            ),
        ),
        None => (
            format!(
                "keepalive: {} unanswered probes, {interval:?} apart, after {idle:?} of silence (tcp_keepalive_timer)",
                keepalive.probes
            ),
            format!("idle {idle:?} + {} probes x {interval:?}", keepalive.probes),
        ),
    };
    error(
        errno,
        window,
        Origin::LastReceived,
        formula,
        rule + idle_reason(errno),
    )
}

/// Adds the reason why no segment passes, if that is not a step of the case but the firewall's flow
/// table.
pub(super) fn explain(
    outage: &Outage,
    firewall: Option<Firewall>,
    mut prediction: Prediction,
) -> Prediction {
    if outage.only_fault() == Some(Fault::Flushed) {
        prediction.rule = format!(
            "the firewall has forgotten the flow and drops what comes later, which begins no flow (tcp_new); {}",
            prediction.rule
        );
    }
    if let (Some(Fault::Forgotten), Some(firewall)) = (outage.only_fault(), firewall) {
        prediction.rule = format!(
            "the firewall forgets the flow {} after its last segment (nf_ct_is_expired) and drops what comes later, which begins no flow \
             (tcp_new); {}",
            firewall.established, prediction.rule
        );
    }
    prediction
}

/// The rule of a case in which no segment is lost.
pub(super) fn nothing_lost(firewall: Option<Firewall>) -> &'static str {
    match firewall {
        None => "nothing is lost: every probe and every segment is answered",
        Some(Firewall { loose: true, .. }) => {
            "nothing is lost: what the firewall has forgotten, any segment of the flow makes known again (tcp_new with nf_conntrack_tcp_loose)"
        }
        Some(Firewall { loose: false, .. }) => {
            "nothing is lost: each segment starts the firewall's timeout again, a probe and its answer too (nf_conntrack_tcp_packet)"
        }
    }
}

/// The prediction of an error.
pub(super) fn error(
    errno: Option<ErrnoName>,
    window: Interval,
    since: Origin,
    formula: String,
    rule: String,
) -> Prediction {
    let window = PredictedWindow {
        since,
        earliest: window.min,
        latest: window.max,
        formula,
    };
    Prediction {
        outcome: PredictedOutcome::Error { errno, window },
        rule,
    }
}

/// The prediction for the first segment that reaches a host without the connection.
pub(super) fn reset(window: Interval, formula: String, since: Origin) -> Prediction {
    let rule = "the other host has lost the connection and answers the first segment that reaches it with a RST (tcp_v4_send_reset, tcp_reset)";
    let errno = Some(errors::name(Errno::ECONNRESET));
    error(errno, window, since, formula, rule.to_owned())
}

/// The prediction for a router that answers with a RST in the other end's name.
pub(super) fn rejected(window: Interval, formula: String, since: Origin) -> Prediction {
    let rule = "the router answers the first segment with a RST in the other end's name, whose number is the one that this end expects next \
                (nf_reject_ip_tcphdr_put, tcp_reset)";
    let errno = Some(errors::name(Errno::ECONNRESET));
    error(errno, window, since, formula, rule.to_owned())
}

/// The formula in text form: `idle 1s + n x 1s`.
pub(super) fn keepalive_formula(keepalive: EffectiveKeepalive) -> String {
    let (idle, interval) = (keepalive.idle, keepalive.interval);
    format!("idle {idle:?} + n x {interval:?}, the first probe that arrives")
}

fn idle_reason(errno: Option<ErrnoName>) -> &'static str {
    if errno == Some(errors::name(Errno::ETIMEDOUT)) {
        "; an ICMP error quotes snd_una-1 and is ignored (tcp_v4_err, tcp_v6_err)"
    } else {
        "; over IPv6 the host's own lack of a route is the soft error (inet6_csk_xmit)"
    }
}

/// The rule of the timer for data in flight.
pub(super) fn flight_rule(flight: &InFlight) -> String {
    match flight.stuck {
        Stuck::Silent if flight.user_timeout.is_some() => {
            "data in flight: the retransmission timer counts from its first retransmission (retransmits_timed_out), clamped to \
             the user timeout (tcp_clamp_rto_to_user_timeout)"
        }
        Stuck::Silent => {
            "data in flight: the retransmission timer counts from its first retransmission (retransmits_timed_out)"
        }
        Stuck::Reverted if flight.user_timeout.is_none() => {
            "data in flight: the retransmission timer counts from its first retransmission (retransmits_timed_out); an ICMP \
             unreachable takes a doubling back (tcp_ld_RTO_revert)"
        }
        Stuck::Reverted => {
            "data in flight: the retransmission timer counts from its first retransmission (retransmits_timed_out); an ICMP \
             unreachable takes a doubling back and arms it past the user timeout (tcp_ld_RTO_revert)"
        }
        Stuck::Unsent => {
            "data that its own host cannot route stays unsent: the probe timer counts from its first probe (tcp_probe_timer)"
        }
    }
    .to_owned()
}
