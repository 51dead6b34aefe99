//! Refuses steps that wait for keepalive probes that can never be sent or answered.

use super::{Cause, Fact, Fault, Refusal, Stops, World};
use crate::model::{End, Family, ProbeEvent, RouteChange, Side};

/// The end whose probes steps wait for.
#[derive(Debug, Clone)]
pub(crate) struct Prober {
    end: End,
    /// The number of unanswered probes that end its connection; `None`: other settings may decide.
    most: Option<u32>,
    /// The number of consecutive unanswered probes that steps have waited for.
    unanswered: u32,
    /// The step whose data is not acknowledged.
    in_flight: Option<Cause>,
}

impl Prober {
    /// The end, and the number of unanswered probes that end its connection; `None`: other settings
    /// may decide.
    #[must_use]
    pub(crate) fn new(end: End, most: Option<u32>) -> Self {
        Self {
            end,
            most,
            unanswered: 0,
            in_flight: None,
        }
    }

    /// Resets the state after a repair, because then all data and probes may be acknowledged.
    pub(super) fn renew(&mut self) {
        self.unanswered = 0;
        self.in_flight = None;
    }
}

/// Why the probes can never occur: the end of the message, the cause, and the help text.
type Never = (String, Option<(Cause, String)>, &'static str);

impl World {
    /// Models a step that waits for this number of probes.
    ///
    /// # Errors
    /// [`Refusal`] if the probes can never be sent or answered.
    pub(crate) fn wait(&mut self, count: u32, what: ProbeEvent) -> Result<(), Refusal> {
        let Some(end) = self.prober.as_ref().map(|prober| prober.end) else {
            return Ok(());
        };
        let never = self
            .without_connection(end)
            .or_else(|| self.unsent(end))
            .or_else(|| self.unanswered(count, what));
        let Some((message, cause, help)) = never else {
            return Ok(());
        };
        let never = Refusal::new(format!("this step waits for ever: {message}"));
        let never = cause.into_iter().fold(never, |never, (cause, label)| {
            never.because_of(cause, label)
        });
        Err(never.help(help))
    }

    /// Notes that the data written by the current step is not acknowledged before a repair.
    pub(crate) fn leave_in_flight(&mut self, from: End) {
        let cause = self.cause;
        if let Some(prober) = self.prober.as_mut().filter(|prober| prober.end == from) {
            prober.in_flight.get_or_insert(cause);
        }
    }

    fn because(&self, matches: impl Fn(&Fault) -> bool) -> Option<(Cause, String)> {
        self.find(matches).map(named)
    }

    fn without_connection(&self, end: End) -> Option<Never> {
        let unopened = self.because(|fault| *fault == Fault::Unopened);
        if unopened.is_some() {
            let message = "no probe is sent before the connection is opened".to_owned();
            let help = "take this step after `do = \"connect\"`, or wait for a time with `after`";
            return Some((message, unopened, help));
        }
        let none = |fault: &Fault| match fault {
            Fault::Closed(of) | Fault::Destroyed(of) | Fault::Forgotten(of) => *of == end,
            Fault::NotAccepting { passes: false, .. } => end == End::Server,
            Fault::Unconnected => true,
            _ => false,
        };
        let peer = end.peer();
        let ended = |fault: &Fault| match fault {
            Fault::Closed(of) | Fault::Destroyed(of) | Fault::Shut(of) => *of == peer,
            _ => false,
        };
        let reads = !self.has(&Fault::Unread(end));
        let gone = self.because(none).or_else(|| {
            // The FIN or RST of the peer arrives and ends the connection.
            let all = [Stops::Data, Stops::Acknowledgements, Stops::All];
            let arrives = reads && self.stopped(&all).is_none();
            self.because(ended)
                .filter(|_| arrives && !self.is_erratic())
        });
        gone.map(|gone| {
            let message = format!("the {end} has no connection any more, and sends no probe");
            let help = "take this step earlier, or wait for a time with `after`";
            (message, Some(gone), help)
        })
    }

    /// Refuses probes that cannot leave their host.
    fn unsent(&self, end: End) -> Option<Never> {
        let keeps = |fault: &Fault| match fault {
            Fault::Link(side) => self.is_same_link(*side, Side::Cable(end)),
            Fault::Silent(of) => *of == end,
            Fault::NoAddress(of) => *of == end && !self.sends_without_address(),
            Fault::Route(on, to, change) => {
                (*on, *to) == (end.node(), end.peer()) && !matches!(change, RouteChange::Via(_))
            }
            _ => false,
        };
        let help = "wait for a time with `after`";
        if let Some(cause) = self.because(keeps) {
            let message = format!("no probe of the {end} leaves its host");
            return Some((message, Some(cause), help));
        }
        let written = self.prober.as_ref()?.in_flight?;
        (!self.is_erratic()).then(|| {
            let message =
                format!("while data is in flight, the {end} retransmits it and sends no probe");
            let label = "this is not acknowledged".to_owned();
            (message, Some((written, label)), help)
        })
    }

    /// Whether a host may send from an address that it has lost. In IPv6, the route through a
    /// router remains when the address is removed.
    #[must_use]
    pub(crate) fn sends_without_address(&self) -> bool {
        self.family() == Family::Ipv6 && self.is_routed()
    }

    /// Refuses answers that cannot arrive, and probes after the one that ends the connection.
    fn unanswered(&mut self, count: u32, what: ProbeEvent) -> Option<Never> {
        let stopped = self.stopped(&[Stops::Acknowledgements, Stops::All]);
        let forgotten = |fault: &Fault| matches!(fault, Fault::Forgotten(_));
        let cause = stopped.or_else(|| self.find(forgotten)).map(named);
        let is_prompt = !self.is_erratic();
        let prober = self.prober.as_mut()?;
        if cause.is_none() {
            prober.unanswered = 0;
            return None;
        }
        if what == ProbeEvent::Answered {
            let message = "no probe is answered, because the path is broken".to_owned();
            let help = "write `sent` in place of `answered`, or wait for a time with `after`";
            return is_prompt.then_some((message, cause, help));
        }
        prober.unanswered = prober.unanswered.saturating_add(count);
        let most = prober.most.filter(|most| prober.unanswered > *most)?;
        let end = prober.end;
        let message = format!(
            "after {most} unanswered probes the {end}'s connection is over, and this would be probe {}",
            prober.unanswered
        );
        let help = "wait for fewer probes, or raise `probes` of its `keepalive`";
        is_prompt.then_some((message, cause, help))
    }
}

fn named(fact: &Fact) -> (Cause, String) {
    (fact.cause, fact.fault.label())
}
