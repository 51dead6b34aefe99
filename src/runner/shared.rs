//! What the variants of a case have in shared: one lab, and what is done to it.

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
    /// The steps that each of the variants has seen.
    records: Vec<StepLog>,
    client: Host,
    server: Host,
    /// Hosts that come back from a reboot, and cables that flap, in their own time.
    returns: Mutex<JoinSet<()>>,
    /// When the last of those is over.
    settled: Mutex<Moment>,
    /// Tells of what could not come back.
    lost: watch::Sender<Option<Arc<LabError>>>,
    /// Until a step waits.
    run_slot: Mutex<Option<RunSlot>>,
}

/// Counters of the whole machine, read before the lab is built.
#[derive(Debug)]
pub(super) struct Before {
    /// [`kernel::backlog_drops`].
    pub(super) backlog_drops: u64,
    /// How often its neighbour tables had refused an entry.
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

/// A machine at an end, whatever runs on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) blackout: Blackout,
    /// When it had no address: what comes for that reaches its interface, and not its TCP
    /// (`ip_route_input`, `ip6_route_input`).
    without_ipv4: Blackout,
    without_ipv6: Blackout,
}

impl Host {
    /// When it had no address of this family.
    pub(super) fn unaddressed(&self, family: Family) -> &Blackout {
        match family {
            Family::Ipv4 => &self.without_ipv4,
            Family::Ipv6 => &self.without_ipv6,
        }
    }
}

/// A step at the lab that has been taken, or why it could not be.
pub(super) type SharedOutcome = Result<Done, Arc<LabError>>;

/// A step at the lab, for each variant.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// When it began.
    pub(super) from: Moment,
    /// When the lab began to change, the counters before that having been read.
    pub(super) begun: Moment,
    /// When it was done.
    pub(super) until: Moment,
    /// The counters before it, where it is to be the zero of the variants' times.
    pub(super) baseline: Option<Arc<CounterBaseline>>,
    /// Why it was not taken.
    pub(super) refused: Option<String>,
}

impl Done {
    /// For the record, of a step that was due then.
    pub(super) fn times(&self, due: Moment) -> Times {
        let Self { from, until, .. } = *self;
        Times { due, from, until }
    }
}

/// How a host comes back from its reboot.
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

    /// Lets another case be busy, because one of this case's variants waits.
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
            // It closes only with this.
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

    /// Lets a host that is silent come back when it is due. Later steps at it wait for that.
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

    /// What a task needs that goes on beside the steps. The task holds no reference to the
    /// `SharedLab`; dropping that aborts it.
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

    /// When nothing changes by itself any more, as far as is known.
    pub(super) fn settled(&self) -> Moment {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a task that goes on beside the steps until then.
    pub(super) fn spawn(&self, until: Moment, task: impl Future<Output = ()> + Send + 'static) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        *settled = (*settled).max(until);
        let mut returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
        returns.spawn(task);
    }
}

/// Tells each variant of a step that was taken now.
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
