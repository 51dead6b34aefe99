//! Assigns guests to processors.
//!
//! A user-mode kernel and its programs are processes of the host that run alternately, with
//! thousands of switches during a boot. On one processor these switches cost about half as much as
//! across two.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::processors::{processors, restrict};

/// The number of guests on each processor.
static GUESTS: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// The assignment of a guest to a processor, which ends when this value is dropped.
#[derive(Debug)]
pub(super) struct Place {
    processor: usize,
}

impl Place {
    /// Chooses the processor with the fewest guests among those that this process may use.
    pub(super) fn take() -> nix::Result<Self> {
        let mut guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
        let processor = processors()
            .into_iter()
            .min_by_key(|processor| guests.get(processor).copied().unwrap_or(0))
            .ok_or(Errno::EINVAL)?;
        *guests.entry(processor).or_default() += 1;
        Ok(Self { processor })
    }

    /// Pins a process and its future children to the processor.
    pub(super) fn assign(&self, process: Pid) -> nix::Result<()> {
        restrict(process, self.processor)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&self.processor) {
            *count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_spread_evenly() {
        let places: Vec<Place> = (0..2 * processors().len())
            .map(|_| Place::take().unwrap())
            .collect();
        let mut taken: Vec<usize> = places.iter().map(|place| place.processor).collect();
        taken.sort_unstable();
        let twice: Vec<usize> = processors().into_iter().flat_map(|n| [n, n]).collect();
        assert_eq!(taken, twice);
        drop(places);
        assert!(GUESTS.lock().unwrap().values().all(|count| *count == 0));
    }
}
