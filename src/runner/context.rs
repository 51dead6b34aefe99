//! Machine-wide services that a case uses besides its lab.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::teardown::LabSlot;
use crate::endpoint::EndWitness;
use crate::lab::drops::DropMonitor;
use crate::lab::tables::NeighbourTables;
use crate::model::Family;
use crate::stall::StallWatch;

/// The machine-wide services of a case.
#[derive(Debug)]
pub(super) struct CaseContext {
    /// The runtime on which rtnetlink requests are made.
    pub(super) netlink: Handle,
    pub(super) stalls: StallWatch,
    pub(super) witness: EndWitness,
    /// The slot of the lab; `None` if the case has the machine to itself.
    pub(super) slot: Option<LabSlot>,
    /// The neighbour tables; `None` if no other case shares them.
    pub(super) tables: Option<Arc<NeighbourTables>>,
    /// The monitor of dropped packets; only on a kernel that runs only this case.
    pub(super) drops: Option<Arc<DropMonitor>>,
}

impl CaseContext {
    /// The number of entries that the neighbour table has refused since the machine started; zero
    /// if no other case shares it.
    pub(super) async fn neighbours_refused(&self, family: Family) -> u64 {
        let Some(tables) = &self.tables else {
            return 0;
        };
        tables.fill(family).await.map_or(0, |fill| fill.refused)
    }
}
