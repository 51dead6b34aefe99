//! What labs have taken of the machine, and what gives it back.

use tokio::sync::{OwnedSemaphorePermit, watch};

/// Entries of the neighbour tables, of which each family has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Neighbours {
    pub(super) ipv4: u32,
    pub(super) ipv6: u32,
}

impl Neighbours {
    pub(super) fn plus(self, more: Self) -> Self {
        Self {
            ipv4: self.ipv4 + more.ipv4,
            ipv6: self.ipv6 + more.ipv6,
        }
    }

    pub(super) fn minus(self, less: Self) -> Self {
        Self {
            ipv4: self.ipv4 - less.ipv4,
            ipv6: self.ipv6 - less.ipv6,
        }
    }
}

/// What has been given away.
#[derive(Debug, Default)]
pub(super) struct TakenResources {
    pub(super) labs: usize,
    pub(super) descriptors: u64,
    pub(super) tcp_memory: u64,
    /// Of labs that are being built, whose entries are not in the tables yet.
    pub(super) neighbours: Neighbours,
}

/// A lab's place. Dropped when the kernel may have its namespaces back.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) taken: watch::Sender<TakenResources>,
    pub(super) descriptors: u64,
    pub(super) tcp_memory: u64,
}

/// Whose turn it is to be busy: held while the lab is built and until a step waits. Hundreds of
/// cases that begin at once would keep each other from taking their steps when they are due.
#[derive(Debug)]
pub(super) struct RunSlot {
    pub(super) taken: watch::Sender<TakenResources>,
    pub(super) neighbours: Neighbours,
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

impl Permit {
    pub(super) fn new(
        taken: &watch::Sender<TakenResources>,
        descriptors: u64,
        tcp_memory: u64,
    ) -> Self {
        taken.send_modify(|taken| {
            taken.labs += 1;
            taken.descriptors += descriptors;
            taken.tcp_memory += tcp_memory;
        });
        Self {
            taken: taken.clone(),
            descriptors,
            tcp_memory,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.taken.send_modify(|taken| {
            taken.labs -= 1;
            taken.descriptors -= self.descriptors;
            taken.tcp_memory -= self.tcp_memory;
        });
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        self.taken.send_modify(|taken| {
            taken.neighbours = taken.neighbours.minus(self.neighbours);
        });
    }
}
