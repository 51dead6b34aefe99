//! Stopping a build from another thread.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::BuildError;

/// What stops a build; clones are of the same build.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    /// No program runs.
    #[default]
    Idle,
    /// One runs, on this leash.
    Running(#[expect(dead_code, reason = "it is held, and nothing else")] OwnedFd),
    /// Nothing may run any more.
    Stopped,
}

impl Stop {
    /// Ends the program that runs, and with it the build, which then cleans up after itself.
    pub fn stop(&self) {
        *self.state() = State::Stopped;
    }

    /// Fails where the build is stopped.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        match *self.state() {
            State::Stopped => Err(BuildError::Stopped),
            State::Idle | State::Running(_) => Ok(()),
        }
    }

    /// Holds the leash of a program that runs; lets go of it, and fails, where the build is stopped.
    pub(super) fn hold(&self, leash: OwnedFd) -> Result<(), BuildError> {
        let mut state = self.state();
        if matches!(*state, State::Stopped) {
            return Err(BuildError::Stopped);
        }
        *state = State::Running(leash);
        Ok(())
    }

    /// The program has ended; fails where the build is stopped.
    pub(super) fn release(&self) -> Result<(), BuildError> {
        let mut state = self.state();
        if matches!(*state, State::Stopped) {
            return Err(BuildError::Stopped);
        }
        *state = State::Idle;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
