//! When the namespaces of finished labs are given back.
//!
//! The kernel takes down together what is closed at about the same time, and holds the lock of rtnetlink meanwhile (`cleanup_net`): 73 ms
//! were measured for a hundred routed labs, half a second for several hundred. A step of another case that changes its network waits for that
//! lock, and would come late. So labs are buried a few at a time, in the order in which they finished; what is left when the run ends is
//! closed at once.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use super::room::Admitted;
use crate::lab::Lab;
use crate::lab::namespace::Namespace;

/// A dozen namespaces: the lock was held for 13 ms at most.
const AT_ONCE: usize = 4;

/// Longer than that takes, so that the next few do not join them. This still buries more labs a second than are built.
const PAUSE: Duration = Duration::from_millis(40);

/// Where finished labs go.
#[derive(Debug, Clone)]
pub(super) struct Graveyard(UnboundedSender<Remains>);

/// What is given back when it is dropped: the namespaces, and then the room that they took.
type Remains = (Vec<Namespace>, Admitted);

/// A lab's place from its admission to the end of its case.
#[derive(Debug)]
pub(super) struct Tenancy {
    remains: Option<Remains>,
    graveyard: Graveyard,
}

impl Graveyard {
    /// One that is worked in on this runtime, for as long as that runs.
    pub(super) fn open(runtime: &Handle) -> Self {
        let (sender, finished) = unbounded_channel();
        runtime.spawn(bury(finished));
        Self(sender)
    }

    pub(super) fn tenancy(&self, admitted: Admitted) -> Tenancy {
        Tenancy {
            remains: Some((Vec::new(), admitted)),
            graveyard: self.clone(),
        }
    }
}

impl Tenancy {
    /// Keeps a lab's namespaces until they are buried.
    pub(super) fn hold(&mut self, lab: &Lab) {
        if let Some((namespaces, _)) = &mut self.remains {
            let held = lab.nodes().iter().map(|node| node.namespace.clone());
            namespaces.extend(held);
        }
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        if let Some(remains) = self.remains.take() {
            // Where nobody buries any more, they come back and are given back here.
            self.graveyard.0.send(remains).ok();
        }
    }
}

async fn bury(mut finished: UnboundedReceiver<Remains>) {
    let mut few = Vec::with_capacity(AT_ONCE);
    while finished.recv_many(&mut few, AT_ONCE).await > 0 {
        few.clear();
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::super::room::Taken;
    use super::*;

    fn labs(taken: &watch::Sender<Taken>) -> usize {
        taken.borrow().labs
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_labs_are_buried_at_a_time_and_the_rest_when_nobody_buries_any_more() {
        let graveyard = Graveyard::open(&Handle::current());
        let taken = watch::Sender::<Taken>::default();
        let tenancies: Vec<Tenancy> = (0..3 * AT_ONCE)
            .map(|_| graveyard.tenancy(Admitted::new(&taken, 1)))
            .collect();
        assert_eq!(labs(&taken), 3 * AT_ONCE);
        drop(tenancies);
        sleep(PAUSE / 2).await;
        assert_eq!(labs(&taken), 2 * AT_ONCE);
        sleep(PAUSE).await;
        assert_eq!(labs(&taken), AT_ONCE);
        let (sender, _) = unbounded_channel();
        drop(Graveyard(sender).tenancy(Admitted::new(&taken, 1)));
        assert_eq!(labs(&taken), AT_ONCE);
        sleep(PAUSE).await;
        assert_eq!(labs(&taken), 0);
    }
}
