//! Cancellation of a build from another thread.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::BuildError;

/// Cancels a build. All clones belong to the same build.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    /// No program runs.
    #[default]
    Idle,
    /// A program runs. It is killed when this descriptor closes.
    Running(#[expect(dead_code, reason = "the descriptor is only kept open")] OwnedFd),
    /// No program may run any more.
    Stopped,
}

impl Stop {
    /// Kills the program that runs. The build then removes what it has made, and fails.
    pub fn stop(&self) {
        *self.state() = State::Stopped;
    }

    /// Fails if the build is stopped.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        match *self.state() {
            State::Stopped => Err(BuildError::Stopped),
            State::Idle | State::Running(_) => Ok(()),
        }
    }

    /// Keeps the kill-on-drop descriptor of a program that runs. If the build is stopped, closes
    /// the descriptor and fails.
    pub(crate) fn running(&self, kill_on_drop: OwnedFd) -> Result<(), BuildError> {
        self.replace(State::Running(kill_on_drop))
    }

    /// Records that the program has ended. Fails if the build is stopped.
    pub(crate) fn ended(&self) -> Result<(), BuildError> {
        self.replace(State::Idle)
    }

    fn replace(&self, next: State) -> Result<(), BuildError> {
        let mut state = self.state();
        if matches!(*state, State::Stopped) {
            return Err(BuildError::Stopped);
        }
        *state = next;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
