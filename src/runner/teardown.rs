//! The teardown queue: decides when the namespaces of finished labs are closed.
//!
//! The kernel tears down namespaces together that are closed at about the same time
//! (`cleanup_net`). It holds the RTNL lock meanwhile, and a network step of another case waits for
//! that lock. A host or a router holds the lock for well under a millisecond. A switch takes longer
//! than all other nodes together: for each bridge the kernel waits until all processors have
//! finished with the memory to be freed (`rcu_barrier` in `br_multicast_dev_del`), 17 ms on
//! average. Therefore labs are torn down in rounds: one lab with a switch, and all labs without a
//! switch. If many labs with switches wait, a round has more of them, and steps of other cases wait
//! longer; otherwise the waiting namespaces would use up the resources of the next labs. Namespaces
//! that remain when the run ends are closed at once.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use super::permit::Permit;
use crate::lab::Lab;
use crate::lab::namespace::Namespace;

/// A round tears down one of this number of waiting labs with switches, rounded up.
const SHARE: usize = 16;

/// The pause after a round: about the time that the kernel takes for a round, most of it without
/// the lock, so that the kernel does not merge the next round with it.
const PAUSE: Duration = Duration::from_millis(60);
/// The additional pause for each lab with a switch.
const SWITCH: Duration = Duration::from_millis(20);

/// The sender of the queue of finished labs.
#[derive(Debug, Clone)]
pub(super) struct TeardownQueue(UnboundedSender<FinishedLab>);

/// A finished lab. When it is dropped, the namespaces are closed first, and then the resources are
/// returned to the budget: fields are dropped in the order of their declaration.
#[derive(Debug)]
struct FinishedLab {
    has_switch: bool,
    namespaces: Vec<Namespace>,
    _permit: Permit,
}

/// The slot of a lab, from its admission to the end of its case. When it is dropped, the lab goes
/// to the teardown queue.
#[derive(Debug)]
pub(super) struct LabSlot {
    lab: Option<FinishedLab>,
    queue: TeardownQueue,
}

impl TeardownQueue {
    /// Starts the queue on this runtime. The queue works as long as the runtime runs.
    pub(super) fn open(runtime: &Handle) -> Self {
        let (sender, finished) = unbounded_channel();
        runtime.spawn(tear_down(finished));
        Self(sender)
    }

    pub(super) fn slot(&self, permit: Permit, has_switch: bool) -> LabSlot {
        let lab = FinishedLab {
            has_switch,
            namespaces: Vec::new(),
            _permit: permit,
        };
        LabSlot {
            lab: Some(lab),
            queue: self.clone(),
        }
    }
}

impl LabSlot {
    /// Keeps the namespaces of a lab open until their teardown.
    pub(super) fn hold(&mut self, lab: &Lab) {
        if let Some(finished) = &mut self.lab {
            let held = lab.nodes().iter().map(|node| node.namespace.clone());
            finished.namespaces.extend(held);
        }
    }
}

impl Drop for LabSlot {
    fn drop(&mut self) {
        if let Some(lab) = self.lab.take() {
            // If the queue no longer runs, the error returns the lab, which is then dropped here.
            self.queue.0.send(lab).ok();
        }
    }
}

async fn tear_down(mut finished: UnboundedReceiver<FinishedLab>) {
    let mut switched = VecDeque::new();
    loop {
        if switched.is_empty() {
            let Some(first) = finished.recv().await else {
                return;
            };
            sort(first, &mut switched);
        }
        while let Ok(more) = finished.try_recv() {
            sort(more, &mut switched);
        }
        let few = switched.len().div_ceil(SHARE);
        switched.drain(..few);
        sleep(PAUSE + SWITCH * u32::try_from(few).unwrap_or(u32::MAX)).await;
    }
}

/// Queues a lab with a switch. A lab without a switch is dropped, and so torn down, here.
fn sort(lab: FinishedLab, switched: &mut VecDeque<FinishedLab>) {
    if lab.has_switch {
        switched.push_back(lab);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::super::permit::TakenResources;
    use super::*;

    fn finish(
        queue: &TeardownQueue,
        taken: &watch::Sender<TakenResources>,
        count: usize,
        has_switch: bool,
    ) {
        for _ in 0..count {
            drop(queue.slot(Permit::new(taken, 1, 0), has_switch));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn labs_with_switches_are_buried_one_by_one_and_the_others_with_them() {
        let taken = watch::Sender::<TakenResources>::default();
        let labs = || taken.borrow().labs;
        let queue = TeardownQueue::open(&Handle::current());
        finish(&queue, &taken, 3, true);
        finish(&queue, &taken, 10, false);
        assert_eq!(labs(), 13);
        for left in [2, 1, 0] {
            sleep(PAUSE).await;
            assert_eq!(labs(), left);
            // The new lab waits for the next round.
            finish(&queue, &taken, 1, false);
            assert_eq!(labs(), left + 1);
            sleep(SWITCH).await;
        }
        sleep(PAUSE).await;
        assert_eq!(labs(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn where_many_wait_more_are_buried_together() {
        let taken = watch::Sender::<TakenResources>::default();
        let labs = || taken.borrow().labs;
        let queue = TeardownQueue::open(&Handle::current());
        finish(&queue, &taken, 3 * SHARE, true);
        sleep(PAUSE).await;
        assert_eq!(labs(), 3 * SHARE - 3);
        sleep(2 * SWITCH).await;
        assert_eq!(labs(), 3 * SHARE - 3);
        sleep(PAUSE).await;
        assert_eq!(labs(), 3 * SHARE - 6);
    }

    #[test]
    fn what_nobody_buries_is_given_back_at_once() {
        let taken = watch::Sender::<TakenResources>::default();
        let (sender, _) = unbounded_channel();
        finish(&TeardownQueue(sender), &taken, 1, true);
        assert_eq!(taken.borrow().labs, 0);
    }
}
