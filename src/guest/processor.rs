//! Which processor a guest runs on.
//!
//! A user-mode kernel and its programs are processes of the host that take turns, thousands of
//! times during a boot. On one processor that costs about half of what it does across two.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::processors::{processors, restrict};

/// How many guests of this process run on which processor.
static GUESTS: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// A guest's place on a processor, taken as long as this value lives.
#[derive(Debug)]
pub(super) struct Place {
    processor: usize,
}

impl Place {
    /// On the processor, of those that this process may use, that has the fewest guests.
    pub(super) fn take() -> nix::Result<Self> {
        let mut guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
        let processor = processors()
            .into_iter()
            .min_by_key(|processor| guests.get(processor).copied().unwrap_or(0))
            .ok_or(Errno::EINVAL)?;
        *guests.entry(processor).or_default() += 1;
        Ok(Self { processor })
    }

    /// Restricts a process, and what it will start, to this place's processor.
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
