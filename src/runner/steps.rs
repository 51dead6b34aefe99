//! Taking a case's steps, one after the other.

use std::sync::Arc;
use std::time::Duration;

use super::baseline::CounterBaseline;
use super::record::Tracks;
use super::running::{Hindrance, PATIENCE, Running, whole};
use super::shared::Returning;
use super::step;
use super::step_log::Times;
use crate::clock::sleep_until;
use crate::endpoint::Endpoint;
use crate::lab::error::LabError;
use crate::model::{End, Moment, ProbeEvent};
use crate::outcome::BrokenStep;
use crate::step::{Action, NetworkAction, ProgramAction, Reboot, Signal, Start, Step, StepKind};
use crate::wire::{Probe, ProbeKind};
use tokio::time::{sleep, timeout};

/// How long frames may be behind the error that they led to: far more than it takes the recorder to
/// be woken up.
const LAST_FRAMES: Duration = Duration::from_millis(200);

impl Running {
    /// Takes every step; stops at the first whose traffic does not get through. What comes after
    /// the end of its connection is not taken: the end is what the case is about.
    pub(super) async fn take_steps(&mut self) -> Result<Option<BrokenStep>, Arc<LabError>> {
        let prepared = Arc::clone(&self.prepared);
        let mut done = Moment::now();
        for step in &prepared.case.steps {
            // A connection may take its time too.
            if step.start != Start::AtOnce || step.action.opens() {
                self.shared.end_run_slot();
            }
            let due = match self.wait(step, done).await {
                Ok(due) => due,
                Err(Hindrance::Broken(error)) => return Ok(Some(broken(step, error))),
                // The other variant may wait for this one, for which the step comes too late.
                Err(Hindrance::Over(why))
                    if step.action.is_at_network() && prepared.is_variant() =>
                {
                    let (times, _) = self.take_together(step, Moment::now(), false).await?;
                    self.step_log.done(step, times, Some(why));
                    done = times.until;
                    continue;
                }
                Err(Hindrance::Over(why)) => {
                    done = self.pass_over(step, Moment::now(), why);
                    continue;
                }
            };
            let (times, taken) = match &step.action {
                Action::Network(_) => {
                    let (times, refused) = self.take_together(step, due, true).await?;
                    (
                        times,
                        refused.map_or(Ok(()), |why| Err(Hindrance::Over(why))),
                    )
                }
                Action::Program(action) => {
                    if let Some(why) = self.comes_too_late(action) {
                        done = self.pass_over(step, due, why);
                        continue;
                    }
                    let from = Moment::now();
                    let taken = self.take(action).await?;
                    let until = Moment::now();
                    (Times { due, from, until }, taken)
                }
            };
            let not_taken = match taken {
                Ok(()) => None,
                Err(Hindrance::Over(why)) => Some(why),
                Err(Hindrance::Broken(error)) => {
                    self.step_log.done(step, times, None);
                    return Ok(Some(broken(step, error)));
                }
            };
            self.step_log.done(step, times, not_taken);
            self.nudge();
            done = times.until;
        }
        Ok(None)
    }

    /// Leaves a step out, and notes why; when.
    fn pass_over(&self, step: &Step, due: Moment, why: String) -> Moment {
        let from = Moment::now();
        let until = from;
        let times = Times { due, from, until };
        self.step_log.done(step, times, Some(why));
        until
    }

    /// Why a step at an end's own connections cannot be taken any more, if all of those have ended.
    fn comes_too_late(&self, action: &ProgramAction) -> Option<String> {
        let ends = match action {
            ProgramAction::Exchange(_) => vec![End::Client, End::Server],
            ProgramAction::SendData(step) => vec![step.from],
            ProgramAction::Fill(step) => vec![step.from],
            ProgramAction::Socket(step) => vec![step.at],
            ProgramAction::Process(step) if step.signal == Signal::Kill => vec![step.at],
            ProgramAction::Process(_)
            | ProgramAction::Reader(_)
            | ProgramAction::Connect(_)
            | ProgramAction::Listener(_) => vec![],
        };
        // A process without connections can be killed all the same: it may listen. An end of file
        // ends an exchange, and no other traffic.
        let is_program = matches!(action, ProgramAction::Socket(_) | ProgramAction::Process(_));
        let is_over = if matches!(action, ProgramAction::Exchange(_)) {
            Endpoint::is_over
        } else {
            Endpoint::is_broken
        };
        let over = ends.into_iter().find(|end| {
            let endpoints = &self.side(*end).endpoints;
            endpoints.iter().all(is_over) && !(is_program && endpoints.is_empty())
        })?;
        Some(self.over(over))
    }

    /// How the connections of an end that has none left came to their end.
    pub(super) fn over(&self, end: End) -> String {
        let endpoints = &self.side(end).endpoints;
        let refused = (end == End::Client)
            .then(|| self.refused.values().next())
            .flatten();
        match (endpoints.iter().find_map(Endpoint::ended), refused) {
            (Some((ended, _)), _) => format!("the {end}'s connection had ended with {ended}"),
            (None, Some((errno, _))) => format!("connect(2) of the {end} had returned {errno}"),
            (None, None) if endpoints.is_empty() => format!("the {end} has no connection"),
            (None, None) => format!("the {end}'s connection had ended"),
        }
    }

    /// Waits until the step is due; when it was.
    async fn wait(&self, step: &Step, done: Moment) -> Result<Moment, Hindrance> {
        match step.start {
            Start::AtOnce => Ok(done),
            Start::After(time) => {
                sleep_until(done + time).await;
                Ok(done + time)
            }
            Start::When { count, what } => self.wait_for_probes(count, what, done).await,
        }
    }

    /// Waits for so many probes since that moment; when the last of them was sent, or answered.
    async fn wait_for_probes(
        &self,
        count: u32,
        what: ProbeEvent,
        since: Moment,
    ) -> Result<Moment, Hindrance> {
        let Some(end) = self.prepared.case.connection.observed_end() else {
            return Err(Hindrance::Broken("no end has keepalive".to_owned()));
        };
        let side = self.side(end);
        let Some(endpoint) = side.endpoints.first() else {
            return Err(Hindrance::Over(self.over(end)));
        };
        let moment = |probe: &Probe| match (probe.kind, what) {
            (ProbeKind::Window, _) => None,
            (ProbeKind::Keepalive, ProbeEvent::Sent) => Some(probe.sent),
            (ProbeKind::Keepalive, ProbeEvent::Answered) => probe.answered,
        };
        let seen = |tracks: &Tracks| -> Vec<Moment> {
            let track = tracks.get(&endpoint.connection);
            let probes = track.map(|track| track.probes_since(since));
            let probes = probes.unwrap_or_default().iter();
            probes.filter_map(moment).take(count as usize).collect()
        };
        let all = |tracks: &Tracks| seen(tracks).len() == count as usize;
        let mut tracks = side.tracks();
        let limit = self.prepared.start_time(Start::When { count, what }) + PATIENCE;
        let ended = tokio::select! {
            biased;
            Ok(tracks) = tracks.wait_for(all) => {
                // A step waits for one probe at least.
                return Ok(seen(&tracks).last().copied().unwrap_or(since));
            }
            () = endpoint.end() => true,
            () = sleep(limit) => false,
        };
        if !ended {
            let seen = seen(&tracks.borrow()).len();
            let limit = whole(limit);
            return Err(Hindrance::Broken(format!(
                "only {seen} of {count} probes were {what} in {limit}"
            )));
        }
        // The frame that led to it is told on another way, and may come later.
        let late = async { tracks.wait_for(all).await.is_ok() };
        let came = timeout(LAST_FRAMES, late).await == Ok(true);
        let seen = seen(&tracks.borrow());
        match seen.last() {
            Some(last) if came => Ok(*last),
            _ => Err(Hindrance::Over(format!(
                "only {} of {count} probes were {what}: {}",
                seen.len(),
                self.over(end)
            ))),
        }
    }

    /// Takes a step at the lab, once for all variants; its times, and why it was not taken.
    /// `is_due`: it may be the zero of this variant's times.
    async fn take_together(
        &mut self,
        step: &Step,
        due: Moment,
        is_due: bool,
    ) -> Result<(Times, Option<String>), Arc<LabError>> {
        let is_zero = is_due && step.action.is_fault() && self.awaits_zero();
        let shared = Arc::clone(&self.shared);
        let met = shared
            .barrier
            .together(due, shared.take(step, is_zero))
            .await;
        let done = met.outcome?;
        if done.refused.is_some() {
            return Ok((done.times(met.due), done.refused));
        }
        if let Some(baseline) = done.baseline.as_ref().filter(|_| is_zero) {
            self.baseline = Arc::clone(baseline);
            self.zero = Some(done.begun);
        }
        let Action::Network(NetworkAction::Reboot(reboot)) = &step.action else {
            return Ok((done.times(met.due), None));
        };
        let Reboot {
            host,
            downtime,
            mac,
        } = *reboot;
        // The path goes first, so that nothing can escape; then the state, of each variant its own;
        // then, in its own time, the path comes back.
        self.forget(host).await?;
        let returning = Returning {
            line: step.line,
            due: done.begun + downtime,
            mac,
        };
        let back = shared.come_back(host, returning);
        let forgotten = shared.barrier.together(done.until, back).await.outcome?;
        let times = done.times(met.due);
        let until = forgotten.until;
        Ok((Times { until, ..times }, None))
    }

    /// Steps before the connection only prepare the network; none of them is the zero.
    fn awaits_zero(&self) -> bool {
        self.zero.is_none() && !self.client.endpoints.is_empty()
    }

    /// Takes one step of its own. The outer error is the lab's, the inner one the connection's.
    async fn take(&mut self, action: &ProgramAction) -> Result<Result<(), Hindrance>, LabError> {
        if action.kind() == StepKind::Fault && self.awaits_zero() {
            self.baseline = Arc::new(CounterBaseline::read(&self.shared.lab).await?);
            // Before the fault, as the counters: on a busy machine a probe may go out before the
            // step is over.
            self.zero = Some(Moment::now());
        }
        step::by_program(self, action).await
    }

    /// How many connections have ended at these ends.
    pub(super) fn over_count(&self, ends: &[End]) -> usize {
        let endpoints = ends.iter().flat_map(|end| &self.side(*end).endpoints);
        endpoints.filter(|endpoint| endpoint.is_over()).count()
    }

    /// What an error of traffic means: that a connection has ended meanwhile, where there were
    /// fewer `before`, or that the step is broken.
    pub(super) fn hindrance(&self, ends: &[End], before: usize, error: String) -> Hindrance {
        let over = |end: &&End| self.side(**end).endpoints.iter().any(Endpoint::is_over);
        match ends.iter().find(over) {
            Some(end) if self.over_count(ends) > before => Hindrance::Over(self.over(*end)),
            Some(_) | None => Hindrance::Broken(error),
        }
    }

    /// A host that reboots knows of no connection any more.
    async fn forget(&mut self, host: End) -> Result<(), LabError> {
        let (side, _) = self.pair(host);
        for endpoint in side.endpoints.drain(..) {
            let forgotten = endpoint.forget().await;
            forgotten.map_err(|source| {
                LabError::at_socket(host, "forget a connection (TCP_REPAIR)", source)
            })?;
        }
        Ok(())
    }
}

fn broken(step: &Step, error: String) -> BrokenStep {
    BrokenStep {
        line: step.line,
        what: step.to_string(),
        error,
    }
}
