//! What a case uses of the machine besides its lab.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::teardown::LabSlot;
use crate::endpoint::EndWitness;
use crate::lab::drops::DropMonitor;
use crate::lab::tables::NeighbourTables;
use crate::model::Family;
use crate::stall::StallWatch;

/// What there is of the machine besides the lab.
#[derive(Debug)]
pub(super) struct CaseContext {
    /// Where requests to rtnetlink are made.
    pub(super) netlink: Handle,
    pub(super) stalls: StallWatch,
    pub(super) witness: EndWitness,
    /// Where it shares the machine with other cases.
    pub(super) slot: Option<LabSlot>,
    /// Only where other cases share them.
    pub(super) tables: Option<Arc<NeighbourTables>>,
    /// Only on a kernel that has nothing but this case.
    pub(super) drops: Option<Arc<DropMonitor>>,
}

impl CaseContext {
    /// How often the neighbour table has refused an entry since the machine started.
    pub(super) async fn neighbours_refused(&self, family: Family) -> u64 {
        let Some(tables) = &self.tables else {
            return 0;
        };
        tables.fill(family).await.map_or(0, |fill| fill.refused)
    }
}
