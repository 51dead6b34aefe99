//! Taking a case's steps, one after the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, try_join_all};
use tokio::sync::OwnedMutexGuard;

use super::case::{PATIENCE, Running, io_at};
use super::marks::Marks;
use super::side::Tracks;
use super::traffic;
use crate::clock::{Moment, sleep_until};
use crate::evidence::StepKind;
use crate::fault;
use crate::lab::error::LabError;
use crate::outcome::BrokenStep;
use crate::scenario::model::{Action, End, HardwareAddress, ProbeEvent, Start, Step};
use crate::wire::Probe;

/// A window that has not opened for so long is full: what a peer reads, it acknowledges at once.
const FULL: Duration = Duration::from_millis(300);

impl Running {
    /// Takes every step; stops at the first whose traffic does not get through.
    pub(super) async fn take_steps(&mut self) -> Result<Option<BrokenStep>, LabError> {
        let prepared = Arc::clone(&self.prepared);
        let mut done = Moment::now();
        for step in &prepared.case.steps {
            // A connection may take its time too.
            if step.start != Start::AtOnce || step.action == Action::Connect {
                self.surroundings.turn = None;
            }
            let due = match self.wait(step, done).await {
                Ok(due) => due,
                Err(error) => return Ok(Some(broken(step, error))),
            };
            let from = Moment::now();
            let taken = self.take(step).await?;
            let (what, kind) = (step.to_string(), step.action.kind());
            self.steps_taken.done(step.line, what, kind, (due, from));
            self.nudge();
            if let Err(error) = taken {
                return Ok(Some(broken(step, error)));
            }
            done = Moment::now();
        }
        Ok(None)
    }

    /// Waits until the step is due; when it was.
    async fn wait(&self, step: &Step, done: Moment) -> Result<Moment, String> {
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
    ) -> Result<Moment, String> {
        let Some(end) = self.prepared.case.connection.observed_end() else {
            return Err("no end has keepalive".to_owned());
        };
        let side = self.side(end);
        let Some(endpoint) = side.endpoints.first() else {
            return Err(format!("the {end} has no connection any more"));
        };
        let moment = |probe: &Probe| match what {
            ProbeEvent::Sent => Some(probe.sent),
            ProbeEvent::Answered => probe.answered,
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
        let why = tokio::select! {
            biased;
            Ok(tracks) = tracks.wait_for(all) => {
                // A step waits for one probe at least.
                return Ok(seen(&tracks).last().copied().unwrap_or(since));
            }
            Some((ended, _)) = endpoint.end() => format!("before the connection ended with {ended}"),
            () = tokio::time::sleep(limit) => format!("in {}", whole(limit)),
        };
        let seen = seen(&side.tracks().borrow()).len();
        Err(format!("only {seen} of {count} probes were {what} {why}"))
    }

    /// Takes one step. The outer error is the lab's, the inner one the connection's.
    async fn take(&mut self, step: &Step) -> Result<Result<(), String>, LabError> {
        let action = &step.action;
        // What comes before the connection is how its network is.
        let opened = self.zero.is_none() && !self.client.endpoints.is_empty();
        if action.is_fault() && opened {
            self.marks = Marks::read(&self.lab).await?;
            // Before the fault, as the counters: on a busy machine a probe may go out before the step is over.
            self.zero = Some(Moment::now());
        }
        match action {
            Action::Exchange { from, payload } => return Ok(self.exchange(*from, payload).await),
            Action::Send { from, bytes } => return Ok(self.send(*from, *bytes).await),
            Action::Connect => self.connect().await?,
            Action::Fill { from } => return Ok(self.fill(*from).await),
            Action::Cable { at, change } => {
                let _idle = self.cables.lock().await;
                fault::cable(&self.lab, *at, *change).await?;
            }
            Action::Link { at, to, change } => {
                let _idle = self.cables.lock().await;
                fault::link(&self.lab, *at, *to, *change).await?;
            }
            Action::Crash { host } => drop(self.silence(*host).await?),
            Action::Resume { host } => {
                let back = Moment::now();
                fault::unsilence(&self.lab, *host, HardwareAddress::Kept).await?;
                self.side(*host).deaf.end(back);
            }
            Action::Reboot {
                host,
                downtime,
                mac,
            } => {
                let returning = Returning {
                    line: step.line,
                    downtime: *downtime,
                    mac: *mac,
                };
                self.reboot(*host, returning).await?;
            }
            Action::Route { on, to, change } => {
                for layer in self.lab.layers(step.family) {
                    fault::route(layer, *on, *to, *change).await?;
                }
            }
            Action::Network(network) => self.network(step, network).await?,
            Action::Middlebox(box_) => fault::middlebox(&self.lab, box_, step.family).await?,
            Action::Listener(step) => self.listener_step(*step).await?,
            Action::Program(step) => return self.program(*step).await,
        }
        Ok(Ok(()))
    }

    async fn exchange(&mut self, from: End, payload: &[u8]) -> Result<(), String> {
        let (from, to) = self.pair(from);
        if from.endpoints.len() != to.endpoints.len() {
            return Err(format!(
                "the {} or the {} has lost its connections",
                from.end, to.end
            ));
        }
        let whole_exchange = async {
            let pairs = traffic::pairs(from, to);
            try_join_all(pairs.map(|(near, far)| traffic::exchange(near, far, payload))).await?;
            join(from.quiet(), to.quiet()).await;
            Ok::<(), io::Error>(())
        };
        match tokio::time::timeout(PATIENCE, whole_exchange).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {}", whole(PATIENCE))),
        }
    }

    async fn send(&mut self, from: End, bytes: u32) -> Result<(), String> {
        let (from, _) = self.pair(from);
        let payload = vec![b'.'; bytes as usize];
        for endpoint in &mut from.endpoints {
            match tokio::time::timeout(PATIENCE, endpoint.write(&payload)).await {
                Ok(written) => written.map_err(|error| error.to_string())?,
                Err(_) => {
                    return Err(format!(
                        "the send buffer stayed full for {}",
                        whole(PATIENCE)
                    ));
                }
            }
        }
        Ok(())
    }

    async fn fill(&mut self, from: End) -> Result<(), String> {
        let (from, _) = self.pair(from);
        let endpoints = from.endpoints.iter_mut();
        let filled = try_join_all(endpoints.map(|endpoint| endpoint.fill(FULL))).await;
        filled.map(drop).map_err(|error| error.to_string())
    }

    /// Silences a host, unless it has crashed before. What is returned keeps later steps from it until it is dropped.
    async fn silence(&mut self, host: End) -> Result<OwnedMutexGuard<()>, LabError> {
        let side = self.side(host);
        // Its reboot may be over by the file's times, and not quite by the machine's.
        let down = Arc::clone(&side.down).lock_owned().await;
        if !side.deaf.is_silent() {
            fault::silence(&self.lab, host).await?;
            side.deaf.begin();
        }
        Ok(down)
    }

    /// The path goes first, so that nothing can escape; then the state; then, in its own time, the path comes back.
    async fn reboot(&mut self, host: End, returning: Returning) -> Result<(), LabError> {
        let Returning {
            line,
            downtime,
            mac,
        } = returning;
        let begun = Moment::now();
        let down = self.silence(host).await?;
        let (side, _) = self.pair(host);
        for endpoint in side.endpoints.drain(..) {
            endpoint
                .forget()
                .await
                .map_err(|source| io_at(host, "forget a connection (TCP_REPAIR)", source))?;
        }
        let lab = Arc::clone(&self.lab);
        let deaf = self.side(host).deaf.clone();
        let (lost, steps_taken) = (self.lost.clone(), self.steps_taken.clone());
        self.returns.spawn(async move {
            let due = begun + downtime;
            sleep_until(due).await;
            let back = Moment::now();
            match fault::unsilence(&lab, host, mac).await {
                Ok(()) => {
                    deaf.end(back);
                    let what = format!("return of {host}");
                    steps_taken.done(line, what, StepKind::Repair, (due, back));
                }
                // Nobody listens any more only when the case is over.
                Err(error) => drop(lost.send(error)),
            }
            drop(down);
        });
        Ok(())
    }
}

/// How a host comes back from its reboot.
struct Returning {
    line: usize,
    downtime: Duration,
    mac: HardwareAddress,
}

fn broken(step: &Step, error: String) -> BrokenStep {
    BrokenStep {
        line: step.line,
        what: step.to_string(),
        error,
    }
}

fn whole(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
