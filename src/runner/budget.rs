//! The resource budget of the machine: a lab starts only if its resources do not have to be taken
//! from another lab.
//!
//! The numbers of descriptors and the memory of a lab follow from its plan. All namespaces share
//! the neighbour tables. For these, the plan gives only an upper limit of the entries of the lab.
//! The current number of entries is read from the kernel, because a pulled cable frees its entries
//! at once and a closed namespace frees them later. A lab always starts if no other lab exists: if
//! even that lab does not fit, the kernel's error names the missing resource.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore, watch};

use super::permit::{Neighbours, Permit, RunSlot, TakenResources};
use super::requests::Requests;
use super::teardown::{LabSlot, TeardownQueue};
use crate::lab::tables::NeighbourTables;
use crate::memory;
use crate::model::{Family, Role, TCP_MEMORY};
use crate::prepare::Prepared;
use crate::step::{Action, ProgramAction};

/// Descriptors reserved for the harness itself, including those that are open only briefly.
const OWN_DESCRIPTORS: u64 = 128;

/// Memory for one node, in bytes: of the kernel for the namespace with its links, and of this
/// process for the recording. 0.25 MB were measured, and the same again during the teardown.
const OF_A_NODE: u64 = 512 * 1024;

/// Memory reserved for the rest of the machine, in bytes.
const OWN_MEMORY: u64 = 128 * 1024 * 1024;

/// The interval at which a waiting lab checks the budget again: the kernel frees the resources of a
/// closed lab with a delay.
const AGAIN: Duration = Duration::from_millis(100);

/// The resources of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    descriptors: u64,
    memory: u64,
    /// The share of the machine-wide memory of TCP, in bytes.
    tcp_memory: u64,
    neighbours: Neighbours,
    /// Whether the lab has a switch, whose teardown takes longest.
    has_switch: bool,
}

impl Need {
    /// The resources of a case. Descriptors: for each node, the namespace and its rtnetlink socket;
    /// for each variant, a packet socket and a `sock_diag` socket at each end, the listener, and
    /// two sockets for each connection, including the connections that fill an accept queue.
    /// Neighbour entries: one for each interface with an address, and two more in IPv6 for
    /// multicast groups.
    fn of(variants: &[Arc<Prepared>]) -> Self {
        // Variants differ in the family of their connections only.
        let first = &variants[0];
        let case = &first.case;
        let nodes = first.network.nodes.len() as u64;
        let fillers = case.steps.iter().map(|step| match &step.action {
            Action::Program(ProgramAction::Listener(step)) => step.fillers(),
            Action::Program(_) | Action::Network(_) => 0,
        });
        let connections = u32::from(case.connection.count) + fillers.sum::<u32>();
        Self {
            descriptors: 2 * nodes + variants.len() as u64 * (8 + 2 * u64::from(connections)),
            memory: nodes * OF_A_NODE,
            tcp_memory: variants
                .iter()
                .map(|variant| variant.case.tcp_memory())
                .sum(),
            neighbours: neighbours_of(first),
            has_switch: (first.network.nodes.iter()).any(|node| node.role == Role::Switch),
        }
    }
}

/// The maximum number of neighbour entries that the interfaces of a case need.
fn neighbours_of(prepared: &Prepared) -> Neighbours {
    let mut all = Neighbours::default();
    for network in prepared.networks() {
        let interfaces = network.nodes.iter().flat_map(|node| &node.interfaces);
        let addressed = interfaces.filter(|interface| interface.address.is_some());
        let addressed = u32::try_from(addressed.count()).unwrap_or(u32::MAX);
        match network.family {
            Family::Ipv4 => all.ipv4 += addressed,
            Family::Ipv6 => all.ipv6 += 3 * addressed,
        }
    }
    all
}

/// The resource budget of one run.
#[derive(Debug)]
pub(super) struct ResourceBudget {
    descriptors: u64,
    queue: TeardownQueue,
    requests: Requests,
    tables: Option<Arc<NeighbourTables>>,
    /// Admits labs one after the other, in the order of their arrival.
    door: Mutex<()>,
    taken: watch::Sender<TakenResources>,
    run_slots: Arc<Semaphore>,
}

impl ResourceBudget {
    pub(super) fn new() -> Self {
        let requests = Requests::new();
        let limit = getrlimit(Resource::RLIMIT_NOFILE);
        Self {
            descriptors: limit.map_or(u64::MAX, |(soft, _)| soft.saturating_sub(OWN_DESCRIPTORS)),
            queue: TeardownQueue::open(&requests.handle()),
            tables: NeighbourTables::open(&requests.handle()).map(Arc::new),
            requests,
            door: Mutex::new(()),
            taken: watch::Sender::default(),
            run_slots: Arc::new(Semaphore::new(busy_at_once())),
        }
    }

    /// The runtime on which rtnetlink requests are made.
    pub(super) fn netlink(&self) -> Handle {
        self.requests.handle()
    }

    /// The neighbour tables, which all labs share.
    pub(super) fn tables(&self) -> Option<Arc<NeighbourTables>> {
        self.tables.clone()
    }

    /// Waits until the budget has room for the lab and a run slot is free.
    pub(super) async fn enter(&self, variants: &[Arc<Prepared>]) -> (LabSlot, RunSlot) {
        let _first = self.door.lock().await;
        // The semaphore is never closed.
        let run_permit = Arc::clone(&self.run_slots).acquire_owned().await.ok();
        let need = Need::of(variants);
        let mut changes = self.taken.subscribe();
        while !self.fits(need).await {
            // The kernel may free returned resources a little later.
            tokio::time::timeout(AGAIN, changes.changed()).await.ok();
        }
        self.taken.send_modify(|taken| {
            taken.neighbours = taken.neighbours.plus(need.neighbours);
        });
        let permit = Permit::new(&self.taken, need.descriptors, need.tcp_memory);
        let run_slot = RunSlot {
            taken: self.taken.clone(),
            neighbours: need.neighbours,
            _permit: run_permit,
        };
        (self.queue.slot(permit, need.has_switch), run_slot)
    }

    async fn fits(&self, need: Need) -> bool {
        let (descriptors, tcp_memory, neighbours) = {
            let taken = self.taken.borrow();
            if taken.labs == 0 {
                return true;
            }
            (taken.descriptors, taken.tcp_memory, taken.neighbours)
        };
        fits_tcp_memory(tcp_memory, need.tcp_memory)
            && descriptors + need.descriptors <= self.descriptors
            && memory::available().is_none_or(|free| free >= need.memory + OWN_MEMORY)
            && self.has_room_for(neighbours.plus(need.neighbours)).await
    }

    async fn has_room_for(&self, neighbours: Neighbours) -> bool {
        let Some(tables) = &self.tables else {
            return true;
        };
        let needs = [
            (Family::Ipv4, neighbours.ipv4),
            (Family::Ipv6, neighbours.ipv6),
        ];
        for (family, needs) in needs.into_iter().filter(|(_, needs)| *needs > 0) {
            let fill = tables.fill(family).await;
            if fill.is_some_and(|fill| fill.entries + needs > fill.most) {
                return false;
            }
        }
        true
    }
}

/// Whether the memory of TCP suffices. A lab that fills no socket buffers does not wait.
fn fits_tcp_memory(taken: u64, need: u64) -> bool {
    need == 0 || taken + need <= TCP_MEMORY
}

/// The number of run slots: two for each processor. A case sometimes waits for the kernel, so there
/// is more than one for each processor. A few are enough to keep the processors busy, and a small
/// number limits how many cases have steps due at the same moment.
fn busy_at_once() -> usize {
    2 * available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cases;

    #[test]
    fn buffers_are_filled_in_as_many_labs_as_share_the_memory() {
        assert!(fits_tcp_memory(TCP_MEMORY, 0));
        assert!(fits_tcp_memory(TCP_MEMORY - 1, 1));
        assert!(!fits_tcp_memory(TCP_MEMORY, 1));
    }

    #[test]
    fn what_a_lab_needs_follows_from_its_plan() {
        let of = |topology: &str, family: &str, count: u16| {
            let text = format!(
                r#"summary = "x"
                topology = {{ preset = "{topology}", family = "{family}" }}
                connection = {{ count = {count}, client.keepalive = {{ time = "3s" }} }}
                expect.client.survives = "1s""#
            );
            let variants = cases(&text).into_iter().map(Arc::new);
            Need::of(&variants.collect::<Vec<_>>())
        };
        let need = |topology, count| of(topology, "ipv6", count);
        assert_eq!(need("direct", 1).descriptors, 14);
        assert_eq!(need("routed", 1).descriptors, 16);
        assert_eq!(need("routed", 50).descriptors, 114);
        assert_eq!(of("routed", "dual", 1).descriptors, 26);
        let only = |ipv4, ipv6| Neighbours { ipv4, ipv6 };
        assert_eq!(need("switched", 1).neighbours, only(0, 6));
        assert_eq!(need("routed", 1).neighbours, only(0, 12));
        assert_eq!(of("routed", "dual", 1).neighbours, only(4, 12));
        assert_eq!(need("switched", 1).memory, 3 * OF_A_NODE);
        assert!(need("switched", 1).has_switch && !need("routed", 1).has_switch);
    }
}
