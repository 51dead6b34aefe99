//! A barrier for the variants of a case, before work that is done once for all of them.
//!
//! The last variant to arrive does the work, and the others receive its result. The barrier does
//! not wait for a variant that has left.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::Moment;

/// A barrier that a fixed set of variants passes any number of times (rounds).
#[derive(Debug)]
pub(super) struct Barrier<T>(watch::Sender<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// The number of variants that still take part.
    present: usize,
    /// The number of variants that have arrived in the current round.
    arrived: usize,
    /// The latest due time of the arrived variants.
    due: Option<Moment>,
    /// Whether a variant does the work of the current round.
    claimed: bool,
    /// The number of completed rounds.
    completed: u64,
    /// The result of the last completed round.
    met: Option<Met<T>>,
}

/// The result of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met<T> {
    /// The latest due time of the variants.
    pub(super) due: Moment,
    /// The result of the work.
    pub(super) outcome: T,
}

/// The membership of a variant in the barrier. The variant leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Participant<T>(Arc<Barrier<T>>);

/// A variant that has arrived, until the round completes or the waiting future is dropped.
struct Arrival<'m, T> {
    barrier: &'m Barrier<T>,
    /// The round, counted from zero.
    number: u64,
}

impl<T: Clone> Barrier<T> {
    /// A barrier for this number of variants, and one membership for each of them.
    pub(super) fn of(variants: usize) -> (Arc<Self>, Vec<Participant<T>>) {
        let state = State {
            present: variants,
            arrived: 0,
            due: None,
            claimed: false,
            completed: 0,
            met: None,
        };
        let barrier = Arc::new(Self(watch::Sender::new(state)));
        let participants = (0..variants)
            .map(|_| Participant(Arc::clone(&barrier)))
            .collect();
        (barrier, participants)
    }

    /// Arrives at the barrier, and waits until all remaining variants have arrived and one of them
    /// has completed its `work`. Returns the result of that work.
    pub(super) async fn together(&self, due: Moment, work: impl Future<Output = T>) -> Met<T> {
        let mut changes = self.0.subscribe();
        let arrival = self.arrive(due);
        loop {
            if let Some(due) = arrival.claim() {
                let outcome = work.await;
                let met = Met { due, outcome };
                arrival.close(met.clone());
                return met;
            }
            let met = arrival.outcome();
            if let Some(met) = met {
                return met;
            }
            // The channel closes only with the barrier, which is borrowed here.
            changes.changed().await.ok();
        }
    }

    fn arrive(&self, due: Moment) -> Arrival<'_, T> {
        let mut number = 0;
        self.0.send_modify(|state| {
            state.arrived += 1;
            state.due = state.due.max(Some(due));
            number = state.completed;
        });
        Arrival {
            barrier: self,
            number,
        }
    }
}

impl<T: Clone> Arrival<'_, T> {
    /// Claims the work of the round if all variants have arrived and none has claimed it. Returns
    /// the latest due time of the variants to the variant that is to do the work.
    fn claim(&self) -> Option<Moment> {
        let mut due = None;
        self.barrier.0.send_if_modified(|state| {
            let all_arrived = state.completed == self.number && state.arrived == state.present;
            if all_arrived && !state.claimed {
                state.claimed = true;
                due = state.due;
            }
            due.is_some()
        });
        due
    }

    fn outcome(&self) -> Option<Met<T>> {
        let state = self.barrier.0.borrow();
        state.met.clone().filter(|_| state.completed > self.number)
    }

    fn close(&self, met: Met<T>) {
        self.barrier.0.send_modify(|state| {
            state.arrived = 0;
            state.due = None;
            state.claimed = false;
            state.completed += 1;
            state.met = Some(met);
        });
    }
}

/// A variant whose future is dropped while it waits is no longer counted. A variant whose future is
/// dropped during the work leaves the work half done, and no other variant claims it again: the
/// time limit or the loss of the lab, which cancel one variant there, cancel all.
impl<T> Drop for Arrival<'_, T> {
    fn drop(&mut self) {
        self.barrier.0.send_if_modified(|state| {
            let cancelled = state.completed == self.number;
            state.arrived -= usize::from(cancelled);
            cancelled
        });
    }
}

impl<T> Drop for Participant<T> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| {
            state.present -= 1;
            // The variants that have arrived could not continue before this moment.
            state.due = state.due.map(|due| due.max(Moment::now()));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures::future::join;

    use super::*;

    fn at(nanos: u64) -> Moment {
        Moment::from_nanos(nanos)
    }

    const NEVER: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn it_is_done_once_when_the_last_has_come_and_all_know_what_came_of_it() {
        let (barrier, _seats) = Barrier::of(2);
        let done = Cell::new(0);
        for round in 1..=3 {
            let work = || async {
                done.set(done.get() + 1);
                tokio::task::yield_now().await;
                done.get()
            };
            let first = barrier.together(at(5), work());
            let second = async {
                tokio::task::yield_now().await;
                assert_eq!(done.get(), round - 1);
                barrier.together(at(7), work()).await
            };
            let met = Met {
                due: at(7),
                outcome: round,
            };
            assert_eq!(join(first, second).await, (met, met));
        }
    }

    #[tokio::test]
    async fn who_has_left_is_not_waited_for() {
        let (barrier, mut participants) = Barrier::of(2);
        let leaving = async {
            tokio::task::yield_now().await;
            participants.pop();
        };
        let before = Moment::now();
        let both = join(barrier.together(at(1), async { "alone" }), leaving);
        let (met, ()) = tokio::time::timeout(LONG, both).await.unwrap();
        assert_eq!(met.outcome, "alone");
        assert!(met.due >= before, "could have been done at {:?}", met.due);
        assert_eq!(barrier.together(at(2), async { "again" }).await.due, at(2));
    }

    #[tokio::test]
    async fn who_gives_up_waiting_has_not_come() {
        let (barrier, _seats) = Barrier::of(2);
        let alone = barrier.together(at(1), async {});
        assert!(tokio::time::timeout(NEVER, alone).await.is_err());
        let other = barrier.together(at(2), async {});
        assert!(tokio::time::timeout(NEVER, other).await.is_err());
        let both = join(
            barrier.together(at(3), async {}),
            barrier.together(at(4), async {}),
        );
        assert_eq!(both.await.0.due, at(4));
    }

    #[tokio::test]
    async fn what_is_left_half_done_is_not_done_again() {
        let (barrier, mut participants) = Barrier::of(2);
        let work = std::future::pending::<()>;
        let first = barrier.together(at(1), work());
        let second = async {
            let begun = barrier.together(at(1), work());
            tokio::time::timeout(NEVER, begun).await.ok();
            participants.pop();
            tokio::time::sleep(NEVER).await;
        };
        tokio::select! {
            met = first => panic!("{met:?}"),
            () = second => {}
        }
    }
}
