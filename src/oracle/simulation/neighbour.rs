//! A neighbour entry: the hardware address of the next machine
//! (`net/core/neighbour.c`).

use super::clock::Jiffies;

/// `mcast_solicit` and `ucast_solicit`: so many questions, one second apart (`retrans_time`).
pub(super) const QUESTIONS: u32 = 3;

/// The state of an entry (`NUD_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is no entry.
    None,
    /// It asks for an address that it does not know; packets wait.
    Incomplete,
    /// It was confirmed, no longer ago than the reachable time.
    Reachable,
    /// It was not confirmed for longer.
    Stale,
    /// It was used since then, and gives the upper layers a time to confirm it.
    Delay,
    /// It asks whether the address is still right; packets go out.
    Probe,
    /// No reply came.
    Failed,
}

/// The next action of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The timer, after so many ticks.
    Timer(Jiffies),
    /// The timer, after so many ticks; a question goes out now.
    Ask(Jiffies),
    /// Nothing.
    Rest,
    /// No reply came: the waiting packets are lost.
    GiveUp,
}

/// The times of the neighbour table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Between two questions: one second.
    pub(super) retrans: Jiffies,
    /// `DELAY_PROBE_TIME`: five seconds.
    pub(super) delay: Jiffies,
    /// `reachable_time`: between half and one and a half times 30 s, at random
    /// (`neigh_rand_reach_time`).
    pub(super) reachable: Jiffies,
}

/// An entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) state: State,
    confirmed: Jiffies,
    used: Jiffies,
    asked: u32,
    /// Which timer is the one that counts.
    pub(super) timer: u32,
}

impl Entry {
    pub(super) fn new(state: State, now: Jiffies) -> Self {
        Self {
            state,
            confirmed: now,
            used: now,
            asked: 0,
            timer: 0,
        }
    }

    /// When the first timer fires, after the entry was made.
    pub(super) fn begin(&self, times: Times) -> Next {
        match self.state {
            State::Reachable => Next::Timer(times.reachable),
            State::Delay => Next::Timer(times.delay),
            State::None | State::Incomplete | State::Stale | State::Probe | State::Failed => {
                Next::Rest
            }
        }
    }

    /// The upper layer has heard from the other machine (`neigh_confirm`).
    pub(super) fn confirm(&mut self, now: Jiffies) {
        self.confirmed = now;
    }

    /// The carrier is gone (`neigh_carrier_down`), or the entry was removed.
    pub(super) fn flush(&mut self) {
        self.state = State::None;
        self.timer += 1;
    }

    /// Handles an outgoing packet (`neigh_event_send`). Returns whether the packet leaves now (if not,
    /// it waits for the address), and the next action of the entry.
    pub(super) fn send(&mut self, now: Jiffies, times: Times) -> (bool, Option<Next>) {
        self.used = now;
        match self.state {
            State::Reachable | State::Delay | State::Probe => (true, None),
            State::Stale => {
                self.state = State::Delay;
                (true, Some(Next::Timer(times.delay)))
            }
            State::Incomplete => (false, None),
            State::None | State::Failed => {
                self.state = State::Incomplete;
                self.asked = 1;
                (false, Some(Next::Ask(times.retrans)))
            }
        }
    }

    /// The other machine has answered.
    pub(super) fn answered(&mut self, now: Jiffies, times: Times) -> Option<Next> {
        if !matches!(self.state, State::Incomplete | State::Probe) {
            return None;
        }
        self.state = State::Reachable;
        self.confirmed = now;
        Some(Next::Timer(times.reachable))
    }

    /// `neigh_timer_handler`.
    pub(super) fn fire(&mut self, now: Jiffies, times: Times) -> Next {
        match self.state {
            State::Reachable if now <= self.confirmed + times.reachable => {
                Next::Timer(self.confirmed + times.reachable - now)
            }
            State::Reachable if now <= self.used + times.delay => {
                self.state = State::Delay;
                Next::Timer(times.delay)
            }
            State::Reachable => {
                self.state = State::Stale;
                Next::Rest
            }
            State::Delay if now <= self.confirmed + times.delay => {
                self.state = State::Reachable;
                Next::Timer(
                    (self.confirmed + times.reachable)
                        .saturating_sub(now)
                        .max(1),
                )
            }
            State::Delay => {
                self.state = State::Probe;
                self.asked = 1;
                Next::Ask(times.retrans)
            }
            State::Incomplete | State::Probe if self.asked >= QUESTIONS => {
                self.state = State::Failed;
                Next::GiveUp
            }
            State::Incomplete | State::Probe => {
                self.asked += 1;
                Next::Ask(times.retrans)
            }
            State::None | State::Stale | State::Failed => Next::Rest,
        }
    }
}
