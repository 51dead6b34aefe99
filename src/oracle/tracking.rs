//! The entry of a flow in a firewall (`net/netfilter/nf_conntrack_proto_tcp.c`), and its lifetime.
//!
//! Each segment in the window restarts the flow's timeout (`nf_conntrack_tcp_packet`,
//! `nf_ct_refresh_acct`). A keepalive probe is in the window, although its sequence number is below
//! the acknowledged one: `tcp_in_window` only requires that it lies within the receiver's window
//! *below* the last one too. After the timeout, the next segment finds no flow
//! (`nf_ct_is_expired`), and a segment that does not begin one is invalid (`tcp_new`).
//!
//! The timeout of an established flow is lowered to 300 s while forwarded data is unacknowledged
//! (`nf_conntrack_tcp_timeout_unacknowledged`), and when one segment comes for the fourth time
//! (`nf_conntrack_tcp_timeout_max_retrans`, `nf_conntrack_tcp_max_retrans`). While no segment is
//! lost, both end soon: an answer resets the timeout.

use std::time::Duration;

use super::interval::Interval;
use crate::model::{EffectiveKeepalive, End, Hz, STEP_TIME};
use crate::scenario::Case;

/// The entry of a flow in a firewall with strict tracking, while no segment is lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracking {
    timeout: Duration,
    hz: Hz,
    probing: Probing,
    /// The time since the last segment of the flow that the firewall forwarded.
    pub(super) unseen: Interval,
}

/// The time of the keepalive probes of either end, relative to the flow's timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probing {
    /// Always before the timeout.
    InTime,
    /// Never before the timeout.
    TooLate,
    /// The rules do not determine it.
    Unsettled,
}

/// The state of the flow's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Known,
    /// The timeout has removed the entry, this long after the previous state.
    ForgottenAfter(Interval),
}

impl Tracking {
    /// Returns the entry at the beginning of a case. `None` if there is no firewall with strict
    /// tracking.
    pub(super) fn new(case: &Case, hz: Hz) -> Option<Self> {
        let firewall = case.firewall.filter(|firewall| !firewall.loose)?;
        let timeout = firewall.established.duration();
        let keepalives: Vec<EffectiveKeepalive> = [End::Client, End::Server]
            .into_iter()
            .filter_map(|end| case.connection.end(end).keepalive)
            .map(EffectiveKeepalive::new)
            .collect();
        // The ends received their last segment when the firewall forwarded one, within the time of
        // a step.
        let in_time = |keepalive: &EffectiveKeepalive| {
            keepalive.answered_period(hz) + STEP_TIME + hz.jiffy() * 2 < timeout
        };
        let too_late = |keepalive: &EffectiveKeepalive| {
            let slack = EffectiveKeepalive::first_probe_slack(hz) + STEP_TIME + hz.jiffy() * 2;
            keepalive.idle >= timeout + slack
        };
        let probing = if keepalives.iter().any(in_time) {
            Probing::InTime
        } else if keepalives.iter().all(too_late) {
            Probing::TooLate
        } else {
            Probing::Unsettled
        };
        Some(Self {
            timeout,
            hz,
            probing,
            unseen: Interval::up_to(STEP_TIME),
        })
    }

    /// Advances the time without any segment but keepalive's. `None` if the rules do not determine
    /// whether the entry still exists.
    pub(super) fn pass(&mut self, time: Interval) -> Option<Entry> {
        if self.probing == Probing::InTime {
            return Some(Entry::Known);
        }
        let unseen = self.unseen + time;
        // Whole jiffies, and a count of them that lags by up to one (tick_do_update_jiffies64).
        let slack = self.hz.jiffy() * 2;
        if unseen.max + slack < self.timeout {
            self.unseen = unseen;
            return Some(Entry::Known);
        }
        (self.probing == Probing::TooLate && unseen.min >= self.timeout + slack)
            .then(|| self.forgotten())
    }

    /// Advances the time to the next probe of either end, if there is ever one.
    pub(super) fn await_probe(&mut self) -> Option<Entry> {
        match self.probing {
            Probing::InTime => Some(Entry::Known),
            Probing::TooLate => Some(self.forgotten()),
            Probing::Unsettled => None,
        }
    }

    fn forgotten(&self) -> Entry {
        Entry::ForgottenAfter(Interval::exactly(self.timeout).after(self.unseen))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use crate::model::{End, Hz};
    use crate::oracle::prediction::{Origin, PredictedOutcome, Prediction};
    use crate::oracle::{from_zero, predict};
    use crate::scenario::{Case, parse};

    const HZ: u32 = 250;

    fn case(firewall: &str, client: &str, server: &str, steps: &str) -> Case {
        let text = format!(
            "summary = \"x\"\n\
             topology = {{ preset = \"routed\", family = \"ipv4\", firewall = {{ {firewall} }} }}\n\
             connection = {{ client = {{ {client} }}, server = {{ {server} }} }}\n\
             step = [{{ do = \"exchange\" }}{steps}]\n\
             expect.client.survives = \"1s\"\n"
        );
        let mut scenario = parse(Path::new("x.toml"), &text).unwrap();
        scenario.cases.remove(0)
    }

    fn hz() -> Hz {
        Hz::new(HZ).unwrap()
    }

    fn predicted(case: &Case, end: End) -> Option<Prediction> {
        predict(case, end, hz().into())
    }

    /// Origin and the window in seconds; `None` where it survives.
    fn window(prediction: Prediction) -> Option<(Origin, f64, f64)> {
        match prediction.outcome {
            PredictedOutcome::Survives => None,
            PredictedOutcome::Error { errno, window } => {
                assert_eq!(errno.unwrap().to_string(), "ETIMEDOUT");
                let (earliest, latest) = (window.earliest, window.latest);
                Some((window.since, earliest.as_secs_f64(), latest.as_secs_f64()))
            }
        }
    }

    const STRICT: &str = "established = \"350s\", loose = false";
    const TWO_HOURS: &str = "keepalive = { sysctl = {} }";
    const ONE_MINUTE: &str = "keepalive = { idle = \"60s\" }";
    const LATE_WRITE: &str = ", { do = \"send\", after = \"351s\" }";

    #[test]
    fn what_is_written_too_late_ends_as_data_in_flight_does() {
        let timeout = "user_timeout = \"3s\"";
        let case = case(STRICT, timeout, "", LATE_WRITE);
        let prediction = predicted(&case, End::Client).unwrap();
        assert!(
            prediction
                .rule
                .starts_with("the firewall forgets the flow 350s after")
        );
        let (since, earliest, latest) = window(prediction).unwrap();
        assert_eq!(since, Origin::FirstUnacknowledged);
        // Measured: 3.411 and 3.421 s.
        assert!(earliest > 3.4 && earliest <= 3.411 && (3.421..3.7).contains(&latest));
    }

    #[test]
    fn the_other_end_notices_nothing() {
        let case = case(STRICT, "user_timeout = \"3s\"", "", LATE_WRITE);
        assert_eq!(window(predicted(&case, End::Server).unwrap()), None);
    }

    #[test]
    fn what_is_written_in_time_arrives() {
        for (after, survives) in [
            // Up to 100 ms for the steps, and two jiffies.
            ("349.89s", Some(true)),
            ("349.894s", None),
            ("350s", None),
            ("350.1s", Some(false)),
        ] {
            let step = format!(", {{ do = \"exchange\", after = \"{after}\" }}");
            let case = case(STRICT, "", "", &step);
            let known = predicted(&case, End::Client);
            let known = known.map(|known| window(known).is_none());
            assert_eq!(known, survives, "{after}");
        }
        let twice =
            ", { do = \"exchange\", after = \"349s\" }, { do = \"send\", after = \"349s\" }";
        let case = case(STRICT, "", "", twice);
        assert_eq!(window(predicted(&case, End::Client).unwrap()), None);
    }

    #[test]
    fn a_probe_that_comes_too_late_is_the_first_of_all_that_are_lost() {
        let case = case(STRICT, TWO_HOURS, "", "");
        let (since, earliest, latest) = window(predicted(&case, End::Client).unwrap()).unwrap();
        assert_eq!((since, earliest), (Origin::LastReceived, 7875.0));
        // Measured: 7928.796 s.
        assert!((7928.796..8030.0).contains(&latest), "{latest}");
    }

    #[test]
    fn the_reset_of_an_end_that_gives_up_first_is_lost_too() {
        let sooner = "keepalive = { idle = \"5000s\" }";
        let case = case(STRICT, TWO_HOURS, sooner, "");
        let earliest = |end| window(predicted(&case, end).unwrap()).unwrap().1;
        assert_eq!(
            (earliest(End::Server), earliest(End::Client)),
            (5675.0, 7875.0)
        );
    }

    #[test]
    fn probes_of_either_end_keep_the_flow_known() {
        for (client, server) in [(ONE_MINUTE, ""), ("", ONE_MINUTE), (TWO_HOURS, ONE_MINUTE)] {
            let case = case(STRICT, client, server, LATE_WRITE);
            let known = predicted(&case, End::Client).unwrap();
            assert!(
                known.rule.contains("a probe and its answer too"),
                "{}",
                known.rule
            );
            assert_eq!(window(known), None, "{client} {server}");
        }
    }

    #[test]
    fn a_probe_that_may_be_in_time_or_not_settles_nothing() {
        // The timer may be 16 s late.
        for idle in [340, 345, 350] {
            let keepalive = format!("keepalive = {{ idle = \"{idle}s\" }}");
            let case = case(STRICT, &keepalive, "", "");
            assert_eq!(predicted(&case, End::Client), None, "{idle}");
        }
        for (idle, survives) in [(330, true), (351, false)] {
            let keepalive = format!("keepalive = {{ idle = \"{idle}s\", interval = \"1s\" }}");
            let case = case(STRICT, &keepalive, "", "");
            let known = predicted(&case, End::Client).unwrap();
            assert_eq!(window(known).is_none(), survives, "{idle}");
        }
    }

    #[test]
    fn a_step_may_wait_for_a_probe_that_is_lost() {
        let steps = ", { do = \"send\", when = \"2 probes sent\" }";
        let case = case(STRICT, TWO_HOURS, "", steps);
        let (since, ..) = window(predicted(&case, End::Client).unwrap()).unwrap();
        assert_eq!(since, Origin::FirstUnacknowledged);
        // An answer never comes.
        let steps = ", { do = \"send\", when = \"2 probes answered\" }";
        let never = self::case(STRICT, TWO_HOURS, "", steps);
        assert_eq!(predicted(&never, End::Client), None);
    }

    #[test]
    fn a_loose_firewall_forgets_nothing_that_matters() {
        for firewall in [
            "established = \"350s\"",
            "established = \"350s\", loose = true",
        ] {
            let case = case(firewall, TWO_HOURS, "", LATE_WRITE);
            let known = predicted(&case, End::Client).unwrap();
            assert!(
                known.rule.contains("nf_conntrack_tcp_loose"),
                "{}",
                known.rule
            );
            assert_eq!(window(known), None);
        }
    }

    #[test]
    fn other_faults_behind_a_firewall_are_not_settled() {
        let crash = ", { do = \"crash\", host = \"server\" }";
        for firewall in [STRICT, "loose = true"] {
            let case = case(firewall, ONE_MINUTE, "", crash);
            assert_eq!(predicted(&case, End::Client), None, "{firewall}");
        }
    }

    #[test]
    fn zero_time_is_the_end_of_the_last_step() {
        let from_zero = |case: &Case| {
            let PredictedOutcome::Error { window, .. } =
                predicted(case, End::Client).unwrap().outcome
            else {
                panic!("it survives");
            };
            let known = from_zero(case, End::Client, &window, hz().into()).unwrap();
            (
                window.earliest - known.min,
                known.max.saturating_sub(window.latest),
            )
        };
        let step = Duration::from_millis(50);
        // The probe's clock begins at most a step before zero time, the data's too.
        let (early, late) = from_zero(&case(STRICT, TWO_HOURS, "", ""));
        assert!(
            early <= step && late == Duration::ZERO,
            "{early:?} {late:?}"
        );
        let (early, late) = from_zero(&case(STRICT, "user_timeout = \"3s\"", "", LATE_WRITE));
        assert!(early <= step * 4 && late <= step * 4, "{early:?} {late:?}");
    }
}
