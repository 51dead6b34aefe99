//! The time between steps, and the events in it: keepalive probes, and a firewall that removes the
//! flow.

use super::{ACKNOWLEDGED, Walk};
use crate::model::{ProbeEvent, STEP_TIME};
use crate::oracle::interval::Interval;
use crate::oracle::outage::Fault;
use crate::oracle::tracking::Entry;
use crate::step::{Start, Step};

impl Walk {
    /// Advances the time to the beginning of a step.
    pub(super) fn wait(&mut self, step: &Step) -> Option<()> {
        match step.start {
            Start::AtOnce => self.pass(Interval::up_to(STEP_TIME), false)?,
            Start::After(time) => self.pass(Interval::exactly(time).late_by(STEP_TIME), true)?,
            Start::When { count, what } => self.count_probes(count, what)?,
        }
        Some(())
    }

    fn pass(&mut self, time: Interval, long: bool) -> Option<()> {
        let entry = match &mut self.tracking {
            Some(tracking) if self.active.is_empty() => tracking.pass(time)?,
            _ => Entry::Known,
        };
        match entry {
            Entry::Known => self.elapse(time, long),
            Entry::ForgottenAfter(before) => {
                self.elapse(before, long);
                self.forget()?;
                self.elapse(time.after(before), long);
            }
        }
        Some(())
    }

    /// Applies the timeout of a firewall that removes the flow before the next probe. It is called
    /// when no more step follows, or when a step waits for probes.
    pub(super) fn forget_before_next_probe(&mut self) -> Option<()> {
        let entry = match &mut self.tracking {
            Some(tracking) if self.active.is_empty() => tracking.await_probe()?,
            _ => Entry::Known,
        };
        if let Entry::ForgottenAfter(before) = entry {
            self.elapse(before, true);
            self.forget()?;
        }
        Some(())
    }

    fn elapse(&mut self, time: Interval, long: bool) {
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
            self.silence = Interval::up_to(keepalive.answered_period(self.hz) + STEP_TIME);
        } else if long {
            self.probes = None;
        }
    }

    /// Returns whether a fault keeps the end's own packets off its wire, where probes are counted.
    fn cannot_send(&self) -> bool {
        let own = self.end.node();
        self.active.iter().any(|fault| match fault {
            Fault::Cable(end) | Fault::Unaddressed(end) => *end == self.end,
            Fault::Route(node, ..) => *node == own,
            _ => false,
        })
    }

    fn count_probes(&mut self, count: u32, what: ProbeEvent) -> Option<()> {
        let keepalive = self.keepalive?;
        self.forget_before_next_probe()?;
        let answered = self.active.is_empty();
        let due = if answered {
            keepalive.tick(0, self.hz).max + keepalive.answered_period(self.hz) * (count - 1)
        } else {
            if self.outages.last()?.written.is_some() || self.cannot_send() {
                return None;
            }
            let probes = self.probes? + count;
            self.probes = Some(probes);
            let tick = keepalive.tick(probes - 1, self.hz).late_by(STEP_TIME);
            self.age = self.age + tick.after(self.silence);
            self.silence = tick;
            return (what == ProbeEvent::Sent).then_some(());
        };
        self.age = self.age + Interval::up_to(due + STEP_TIME);
        self.heard();
        self.unacknowledged = false;
        Some(())
    }
}
