//! Where the variants of a case wait for each other, before something that is done once for all of
//! them.
//!
//! The last one to come does it, and the others take what came of it. Who has left is waited for no
//! longer.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::Moment;

/// The meetings of some variants, one after the other.
#[derive(Debug)]
pub(super) struct Barrier<T>(watch::Sender<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// The variants that are still under way.
    present: usize,
    /// How many of them have come.
    come: usize,
    /// When the last of those was due.
    due: Option<Moment>,
    /// Somebody is doing it.
    taken_up: bool,
    /// How many meetings are over.
    over: u64,
    /// What the last of them was about, and what came of it.
    met: Option<Met<T>>,
}

/// What all variants have met for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met<T> {
    /// When the last of them was due.
    pub(super) due: Moment,
    /// What came of it.
    pub(super) outcome: T,
}

/// A variant's place. It leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Participant<T>(Arc<Barrier<T>>);

/// A variant that has come, until the meeting is over or the variant gives up.
struct Coming<'m, T> {
    barrier: &'m Barrier<T>,
    /// Which meeting it has come to.
    number: u64,
}

impl<T: Clone> Barrier<T> {
    /// For so many variants.
    pub(super) fn of(variants: usize) -> (Arc<Self>, Vec<Participant<T>>) {
        let state = State {
            present: variants,
            come: 0,
            due: None,
            taken_up: false,
            over: 0,
            met: None,
        };
        let barrier = Arc::new(Self(watch::Sender::new(state)));
        let participants = (0..variants)
            .map(|_| Participant(Arc::clone(&barrier)))
            .collect();
        (barrier, participants)
    }

    /// Comes, and waits until all have come that are still there and `work` is done, by one of
    /// them.
    pub(super) async fn together(&self, due: Moment, work: impl Future<Output = T>) -> Met<T> {
        let mut changes = self.0.subscribe();
        let coming = self.come(due);
        loop {
            if let Some(due) = coming.take_up() {
                let outcome = work.await;
                let met = Met { due, outcome };
                coming.close(met.clone());
                return met;
            }
            let over = coming.outcome();
            if let Some(met) = over {
                return met;
            }
            // It closes only with the meeting itself, which is borrowed here.
            changes.changed().await.ok();
        }
    }

    fn come(&self, due: Moment) -> Coming<'_, T> {
        let mut number = 0;
        self.0.send_modify(|state| {
            state.come += 1;
            state.due = state.due.max(Some(due));
            number = state.over;
        });
        Coming {
            barrier: self,
            number,
        }
    }
}

impl<T: Clone> Coming<'_, T> {
    /// When the last variant was due, for the one that is to do what they have met for.
    fn take_up(&self) -> Option<Moment> {
        let mut due = None;
        self.barrier.0.send_if_modified(|state| {
            let all_there = state.over == self.number && state.come == state.present;
            if all_there && !state.taken_up {
                state.taken_up = true;
                due = state.due;
            }
            due.is_some()
        });
        due
    }

    fn outcome(&self) -> Option<Met<T>> {
        let state = self.barrier.0.borrow();
        state.met.clone().filter(|_| state.over > self.number)
    }

    fn close(&self, met: Met<T>) {
        self.barrier.0.send_modify(|state| {
            state.come = 0;
            state.due = None;
            state.taken_up = false;
            state.over += 1;
            state.met = Some(met);
        });
    }
}

/// Who gives up while it waits is not counted. Who gives up over the work leaves it half done, so
/// nobody takes it up again: what cuts off one variant there, the limit or the loss of the lab,
/// cuts off all.
impl<T> Drop for Coming<'_, T> {
    fn drop(&mut self) {
        self.barrier.0.send_if_modified(|state| {
            let gives_up = state.over == self.number;
            state.come -= usize::from(gives_up);
            gives_up
        });
    }
}

impl<T> Drop for Participant<T> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| {
            state.present -= 1;
            // Those that have come could not go on before.
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
