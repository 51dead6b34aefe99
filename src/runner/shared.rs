//! The lab that the variants of a case share, and the network steps on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::barrier::Barrier;
use super::baseline::CounterBaseline;
use super::blackout::Blackout;
use super::context::CaseContext;
use super::faulted::FaultedLab;
use super::permit::RunSlot;
use super::step_log::{StepLog, Times};
use crate::clock::sleep_until;
use crate::kernel;
use crate::lab::error::LabError;
use crate::model::{End, Family, Moment};
use crate::prepare::Prepared;
use crate::step::{HardwareAddress, StepKind};
use crate::world::Fault;

/// The lab of a case, in which each of its variants has a connection.
pub(super) struct SharedLab {
    pub(super) lab: Arc<FaultedLab>,
    pub(super) context: CaseContext,
    pub(super) before: Before,
    /// Where the variants wait for each other before a step at the lab.
    pub(super) barrier: Arc<Barrier<SharedOutcome>>,
    /// The step log of each variant.
    records: Vec<StepLog>,
    client: Host,
    server: Host,
    /// Background tasks: hosts that return from a reboot, and cables that flap.
    returns: Mutex<JoinSet<()>>,
    /// When the last background task ends.
    settled: Mutex<Moment>,
    /// The first error of a background task.
    lost: watch::Sender<Option<Arc<LabError>>>,
    /// Held until a step waits.
    run_slot: Mutex<Option<RunSlot>>,
}

/// Counters of the whole machine, read before the lab is built.
#[derive(Debug)]
pub(super) struct Before {
    /// [`kernel::backlog_drops`].
    pub(super) backlog_drops: u64,
    /// The number of entries that the neighbour table of each family had refused.
    neighbours: BTreeMap<Family, u64>,
}

impl Before {
    pub(super) async fn now(context: &CaseContext, variants: &[Arc<Prepared>]) -> Self {
        let backlog_drops = kernel::backlog_drops();
        let mut neighbours = BTreeMap::new();
        for family in variants.iter().map(|variant| variant.case.family) {
            neighbours.insert(family, context.neighbours_refused(family).await);
        }
        Self {
            backlog_drops,
            neighbours,
        }
    }

    pub(super) fn neighbours_refused(&self, family: Family) -> u64 {
        self.neighbours.get(&family).copied().unwrap_or_default()
    }
}

/// The host of an end, with the intervals in which it did not receive.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) blackout: Blackout,
    /// The intervals without its IPv4 address: packets to that address reach the interface but not
    /// TCP (`ip_route_input`, `ip6_route_input`).
    without_ipv4: Blackout,
    /// The same for its IPv6 address.
    without_ipv6: Blackout,
}

impl Host {
    /// The intervals in which the host had no address of this family.
    pub(super) fn unaddressed(&self, family: Family) -> &Blackout {
        match family {
            Family::Ipv4 => &self.without_ipv4,
            Family::Ipv6 => &self.without_ipv6,
        }
    }
}

/// The result of a network step.
pub(super) type SharedOutcome = Result<Done, Arc<LabError>>;

/// A network step that has been handled, as each variant receives it.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// When it began.
    pub(super) from: Moment,
    /// When the lab began to change. The counter baseline was read before this moment.
    pub(super) begun: Moment,
    /// When it was done.
    pub(super) until: Moment,
    /// The counters before the step, if the step may be the zero of the variants' times.
    pub(super) baseline: Option<Arc<CounterBaseline>>,
    /// Why the step was not taken, if it was refused.
    pub(super) refused: Option<String>,
}

impl Done {
    /// The times of the step for the step log; `due` is when the step was due.
    pub(super) fn times(&self, due: Moment) -> Times {
        let Self { from, until, .. } = *self;
        Times { due, from, until }
    }
}

/// How a host returns from its reboot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Returning {
    pub(super) line: usize,
    pub(super) due: Moment,
    pub(super) mac: HardwareAddress,
}

impl SharedLab {
    pub(super) fn new(
        lab: FaultedLab,
        (context, run_slot): (CaseContext, Option<RunSlot>),
        before: Before,
        barrier: Arc<Barrier<SharedOutcome>>,
        records: Vec<StepLog>,
    ) -> Self {
        Self {
            lab: Arc::new(lab),
            context,
            before,
            barrier,
            records,
            client: Host::default(),
            server: Host::default(),
            returns: Mutex::default(),
            settled: Mutex::new(Moment::now()),
            lost: watch::Sender::new(None),
            run_slot: Mutex::new(run_slot),
        }
    }

    pub(super) fn host(&self, end: End) -> &Host {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    /// Gives the run slot to another case, because a variant of this case waits.
    pub(super) fn end_run_slot(&self) {
        let mut run_slot = self.run_slot.lock().unwrap_or_else(PoisonError::into_inner);
        *run_slot = None;
    }

    /// Waits for the first error of a background task.
    pub(super) async fn loss(&self) -> Arc<LabError> {
        let mut losses = self.lost.subscribe();
        let lost = losses.wait_for(Option::is_some).await;
        match lost.ok().and_then(|lost| lost.clone()) {
            Some(error) => error,
            // The channel closes only when `self` is dropped.
            None => std::future::pending().await,
        }
    }

    /// Silences a host, unless it has crashed before.
    pub(super) async fn silence(&self, end: End) -> Result<(), LabError> {
        let host = self.host(end);
        if !host.blackout.is_silent() {
            let (node, link) = (self.lab.node(end.node()), self.lab.uplink(end));
            node.silence(&link.name).await?;
            host.blackout.begin();
        }
        Ok(())
    }

    /// Starts a background task that ends the silence of a host when it is due. Later steps at the
    /// host wait for the end of the task.
    pub(super) async fn come_back(&self, end: End, returning: Returning) -> SharedOutcome {
        let from = Moment::now();
        let Returning { line, due, mac } = returning;
        let Host { blackout, .. } = self.host(end).clone();
        let (lab, lost, records) = self.background();
        self.spawn(due, async move {
            sleep_until(due).await;
            let back = Moment::now();
            match lab.unsilence(end, mac).await {
                Ok(heard) => {
                    blackout.end(heard);
                    let what = format!("return of {end}");
                    note(&records, line, &what, StepKind::Repair, (due, back));
                }
                Err(error) => drop(lost.send_replace(Some(Arc::new(error)))),
            }
            lab.ended(&Fault::Down(end));
        });
        Ok(Done {
            from,
            begun: from,
            until: Moment::now(),
            baseline: None,
            refused: None,
        })
    }

    /// The handles that a background task needs: the lab, the channel for its error and the step
    /// logs. The task holds no reference to the `SharedLab`; dropping the `SharedLab` aborts the
    /// task.
    pub(super) fn background(
        &self,
    ) -> (
        Arc<FaultedLab>,
        watch::Sender<Option<Arc<LabError>>>,
        Vec<StepLog>,
    ) {
        (
            Arc::clone(&self.lab),
            self.lost.clone(),
            self.records.clone(),
        )
    }

    /// When the last background task ends, among the tasks started so far. After that moment the
    /// network does not change without a step.
    pub(super) fn settled(&self) -> Moment {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns a background task, which ends at `until`.
    pub(super) fn spawn(&self, until: Moment, task: impl Future<Output = ()> + Send + 'static) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        *settled = (*settled).max(until);
        let mut returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
        returns.spawn(task);
    }
}

/// Adds a change by a background task, which ends now, to the log of each variant.
pub(super) fn note(
    records: &[StepLog],
    line: usize,
    what: &str,
    kind: StepKind,
    (due, from): (Moment, Moment),
) {
    let until = Moment::now();
    let times = Times { due, from, until };
    for record in records {
        record.followed(line, what.to_owned(), kind, times);
    }
}
