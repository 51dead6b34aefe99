//! The resources that labs have taken, and the guards that return them.

use tokio::sync::{OwnedSemaphorePermit, watch};

/// Numbers of entries in the neighbour tables. Each family has its own table.
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

/// The resources that are in use.
#[derive(Debug, Default)]
pub(super) struct TakenResources {
    pub(super) labs: usize,
    pub(super) descriptors: u64,
    pub(super) tcp_memory: u64,
    /// The entries reserved for labs under construction, which are not in the tables yet.
    pub(super) neighbours: Neighbours,
}

/// The resources of one lab. It is dropped when the namespaces of the lab are closed, and then
/// returns the resources.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) taken: watch::Sender<TakenResources>,
    pub(super) descriptors: u64,
    pub(super) tcp_memory: u64,
}

/// The right of a case to use the processors. A case holds it while its lab is built and until a
/// step waits. If hundreds of cases began at the same time, they would delay each other's steps
/// beyond their due times.
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
