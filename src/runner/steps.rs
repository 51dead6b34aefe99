//! Takes the steps of a case, one after the other.

use std::sync::Arc;
use std::time::Duration;

use super::baseline::CounterBaseline;
use super::record::Tracks;
use super::running::{Hindrance, PATIENCE, Running, whole_seconds};
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

/// The maximum delay of captured frames behind the error that they caused: far more than the
/// wake-up time of the recorder.
const LAST_FRAMES: Duration = Duration::from_millis(200);

impl Running {
    /// Takes every step. Stops at the first step that fails, and returns it. A step whose
    /// connection has already ended is skipped and not a failure: that end is the outcome of the
    /// case.
    pub(super) async fn take_steps(&mut self) -> Result<Option<BrokenStep>, Arc<LabError>> {
        let prepared = Arc::clone(&self.prepared);
        let mut done = Moment::now();
        for step in &prepared.case.steps {
            // Opening a connection may take long too.
            if step.start != Start::AtOnce || step.action.opens() {
                self.shared.end_run_slot();
            }
            let due = match self.wait(step, done).await {
                Ok(due) => due,
                Err(Hindrance::Broken(error)) => return Ok(Some(broken(step, error))),
                // The step comes too late for this variant, but the other variant may wait for it
                // at the barrier.
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

    /// Skips a step and logs the reason. Returns the current time.
    fn pass_over(&self, step: &Step, due: Moment, why: String) -> Moment {
        let from = Moment::now();
        let until = from;
        let times = Times { due, from, until };
        self.step_log.done(step, times, Some(why));
        until
    }

    /// The reason why a program step can no longer be taken: all connections of an end that it uses
    /// have ended. `None` if it can be taken.
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
        // A process without connections can still be killed, because it may listen. After an end of
        // file no exchange is possible, but other traffic is.
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

    /// Describes how the connections of an end without open connections ended.
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

    /// Waits until the step is due. Returns the due time.
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

    /// Waits until `count` keepalive probes after `since` have been sent, or answered. Returns when
    /// the last of them was.
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
            let limit = whole_seconds(limit);
            return Err(Hindrance::Broken(format!(
                "only {seen} of {count} probes were {what} in {limit}"
            )));
        }
        // The capture delivers the frame that caused the end on a separate path, so the frame may
        // arrive after the end.
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

    /// Takes a network step once for all variants. Returns its times, and the reason if it was
    /// refused. `is_due`: whether the step may be the zero of this variant's times.
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
        // First the host is silenced, so that it cannot send anything. Then each variant discards
        // its own connections. Finally a background task restores the host when it is due.
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

    /// Whether the next fault is the zero of the case's times. Steps before the connection is
    /// opened only prepare the network; none of them is the zero.
    fn awaits_zero(&self) -> bool {
        self.zero.is_none() && !self.client.endpoints.is_empty()
    }

    /// Takes one program step. The outer error is an error of the lab, the inner one an error of
    /// the connection.
    async fn take(&mut self, action: &ProgramAction) -> Result<Result<(), Hindrance>, LabError> {
        if action.kind() == StepKind::Fault && self.awaits_zero() {
            self.baseline = Arc::new(CounterBaseline::read(&self.shared.lab).await?);
            // The zero is set before the fault, like the counter baseline: on a busy machine a
            // probe may be sent before the step completes.
            self.zero = Some(Moment::now());
        }
        step::by_program(self, action).await
    }

    /// The number of ended connections at these ends.
    pub(super) fn over_count(&self, ends: &[End]) -> usize {
        let endpoints = ends.iter().flat_map(|end| &self.side(*end).endpoints);
        endpoints.filter(|endpoint| endpoint.is_over()).count()
    }

    /// Classifies an error of traffic. If more connections have ended than `before`, the error is
    /// the end of a connection; otherwise the step has failed.
    pub(super) fn hindrance(&self, ends: &[End], before: usize, error: String) -> Hindrance {
        let over = |end: &&End| self.side(**end).endpoints.iter().any(Endpoint::is_over);
        match ends.iter().find(over) {
            Some(end) if self.over_count(ends) > before => Hindrance::Over(self.over(*end)),
            Some(_) | None => Hindrance::Broken(error),
        }
    }

    /// Discards the connections of a host that reboots, without a FIN or RST.
    async fn forget(&mut self, host: End) -> Result<(), LabError> {
        let (side, _) = self.pair(host);
        for endpoint in side.endpoints.drain(..) {
            let forgotten = endpoint.forget().await;
            forgotten.map_err(|source| {
                LabError::at_socket(host, "discard a connection (TCP_REPAIR)", source)
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
