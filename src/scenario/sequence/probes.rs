//! Keepalive probes that a step waits for, and whether they can come.

use std::ops::Range;

use super::link::Side;
use super::{Broken, Hit, Network};
use crate::model::{End, Node, Role};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::overlay::Overlaid;
use crate::step::{ProbeEvent, RouteChange, Start};

/// The end whose probes are waited for.
pub(super) struct Prober {
    pub(super) end: End,
    /// How many unanswered probes end its connection, where that is known.
    most: Option<u32>,
    /// How many have been waited for since the way broke.
    unanswered: u32,
    /// The step that has written what is not acknowledged.
    pub(super) in_flight: Option<Range<usize>>,
}

impl Prober {
    /// The client if it has keepalive, else the server; `None` where a setting is wrong.
    pub(super) fn of(case: &Overlaid) -> Option<Self> {
        let end = match case.keepalive(End::Client) {
            Ok(Some(_)) => End::Client,
            Ok(None) => End::Server,
            Err(_) => return None,
        };
        let keepalive = case.keepalive(end).ok()??.value;
        Some(Self {
            end,
            most: case.unanswered_probes(end, keepalive),
            unanswered: 0,
            in_flight: None,
        })
    }

    /// After a repair, for all that is known, everything is acknowledged.
    pub(super) fn renew(&mut self) {
        self.unanswered = 0;
        self.in_flight = None;
    }
}

/// Why probes do not come.
type Never = (String, Option<(Range<usize>, String)>, &'static str);

impl Network {
    /// What is wrong with a wait for probes that can never come; otherwise they have been waited
    /// for.
    pub(super) fn wait(&mut self, start: Start, when: &Range<usize>) -> Option<Diagnostic> {
        let Start::When { count, what } = start else {
            return None;
        };
        let end = self.prober.as_ref()?.end;
        let never = self
            .without_connection(end)
            .or_else(|| self.unsent(end))
            .or_else(|| self.unanswered(count, what));
        let (message, cause, help) = never?;
        let never = Diagnostic::new(when.clone(), format!("this step waits for ever: {message}"));
        let never = cause
            .into_iter()
            .fold(never, |never, (span, label)| never.related(span, label));
        Some(never.help(help))
    }

    fn because(&self, matches: impl Fn(Broken) -> bool) -> Option<(Range<usize>, String)> {
        let (broken, span) = self.find(matches)?;
        Some((span.clone(), broken.label()))
    }

    fn without_connection(&self, end: End) -> Option<Never> {
        let unopened = self.because(|broken| broken == Broken::Unopened);
        if unopened.is_some() {
            let message = "no probe is sent before the connection is opened".to_owned();
            let help = "take this step after `do = \"connect\"`, or wait for a time with `after`";
            return Some((message, unopened, help));
        }
        let none = |broken| match broken {
            Broken::Gone(of) | Broken::Forgotten(of) => of == end,
            Broken::Unaccepting { passes: false, .. } => end == End::Server,
            Broken::Unconnected => true,
            _ => false,
        };
        let ended =
            |broken| broken == Broken::Gone(end.peer()) || broken == Broken::Shut(end.peer());
        let reads = self.find(|broken| broken == Broken::Deaf(end)).is_none();
        let gone = self.because(none).or_else(|| {
            // Its FIN or RST arrives.
            let arrives = reads
                && self
                    .stops(&[Hit::Data, Hit::Acknowledgements, Hit::All])
                    .is_none();
            self.because(ended).filter(|_| arrives && self.is_prompt())
        });
        gone.map(|gone| {
            let message = format!("the {end} has no connection any more, and sends no probe");
            let help = "take this step before, or wait for a time with `after`";
            (message, Some(gone), help)
        })
    }

    /// Probes that do not leave their host.
    fn unsent(&self, end: End) -> Option<Never> {
        let keeps = |broken| match broken {
            Broken::Link(side) => self.is_same(side, Side::Cable(end)),
            Broken::Crashed(of) => of == end,
            Broken::Address(of) => of == end && !self.sends_without_address(),
            Broken::Route(on, to, change) => {
                (on, to) == (end.node(), end.peer()) && !matches!(change, RouteChange::Via(_))
            }
            _ => false,
        };
        let help = "wait for a time with `after`";
        if let Some(cause) = self.because(keeps) {
            let message = format!("no probe of the {end} leaves its host");
            return Some((message, Some(cause), help));
        }
        let written = self.prober.as_ref()?.in_flight.clone()?;
        self.is_prompt().then(|| {
            let message =
                format!("while data is in flight, the {end} retransmits it and sends no probe");
            let label = "this is not acknowledged".to_owned();
            (message, Some((written, label)), help)
        })
    }

    /// Whether a host may send from an address that it has lost: in IPv6 its route over a router
    /// outlives the address.
    fn sends_without_address(&self) -> bool {
        let is_router = |node: &Node| {
            let topology = self.topology.as_ref();
            topology.is_some_and(|topology| topology.role(*node) == Some(Role::Router))
        };
        let way = self.way.as_ref();
        self.carries_ipv6 && way.is_none_or(|way| way.iter().any(is_router))
    }

    /// Answers that do not come, and the probes after the last one.
    fn unanswered(&mut self, count: u32, what: ProbeEvent) -> Option<Never> {
        let broken = self.stops(&[Hit::Acknowledgements, Hit::All]).cloned();
        let forgotten = |broken| matches!(broken, Broken::Forgotten(_));
        let broken = broken.or_else(|| self.find(forgotten).cloned());
        let prompt = self.is_prompt();
        let prober = self.prober.as_mut()?;
        let Some((broken, span)) = broken else {
            prober.unanswered = 0;
            return None;
        };
        let cause = Some((span, broken.label()));
        if what == ProbeEvent::Answered {
            let message = "no probe is answered, because the way is broken".to_owned();
            let help = "write `sent` in place of `answered`, or wait for a time with `after`";
            return prompt.then_some((message, cause, help));
        }
        prober.unanswered = prober.unanswered.saturating_add(count);
        let most = prober.most.filter(|most| prober.unanswered > *most)?;
        let end = prober.end;
        let message = format!(
            "after {most} unanswered probes the {end}'s connection is over, and this would be probe {}",
            prober.unanswered
        );
        let help = "wait for fewer probes, or raise `probes` of its `keepalive`";
        prompt.then_some((message, cause, help))
    }

    /// Whether nothing is under way, or comes back by itself.
    fn is_prompt(&self) -> bool {
        self.impaired.is_empty() && self.flapping.is_empty()
    }
}
