//! When the namespaces of finished labs are given back.
//!
//! The kernel takes down together what is closed at about the same time (`cleanup_net`), and a step
//! of another case that changes its network waits for the lock of rtnetlink, which is held
//! meanwhile. A host or a router costs well under a millisecond of that. A switch costs more
//! than all others together: for each bridge the kernel waits until all processors have done with
//! what is to be freed (`rcu_barrier` in `br_multicast_dev_del`), 17 ms on average. So labs are
//! buried in rounds, each with one lab that has a switch and all that have none. Where many with
//! switches wait, a round has more of them, and steps of other cases wait longer: their namespaces
//! would otherwise take the room of the next labs. What is left when the run ends is closed at
//! once.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use super::permit::Permit;
use crate::lab::Lab;
use crate::lab::namespace::Namespace;

/// Of the labs with switches that wait, one in so many is buried at once, and one at least.
const SHARE: usize = 16;

/// About as long as the kernel takes for a round, most of it without the lock, so that the next
/// does not join it; and for each lab with a switch in it.
const PAUSE: Duration = Duration::from_millis(60);
const SWITCH: Duration = Duration::from_millis(20);

/// Where finished labs go.
#[derive(Debug, Clone)]
pub(super) struct TeardownQueue(UnboundedSender<FinishedLab>);

/// What is given back when it is dropped: the namespaces, and then the room that they took.
#[derive(Debug)]
struct FinishedLab {
    has_switch: bool,
    namespaces: Vec<Namespace>,
    _permit: Permit,
}

/// A lab's place from its admission to the end of its case.
#[derive(Debug)]
pub(super) struct LabSlot {
    lab: Option<FinishedLab>,
    queue: TeardownQueue,
}

impl TeardownQueue {
    /// One that is worked in on this runtime, for as long as that runs.
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
    /// Keeps a lab's namespaces until they are buried.
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
            // Where nobody buries any more, they come back and are given back here.
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

/// Those without a switch are buried here.
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
            // It waits for the next round.
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
