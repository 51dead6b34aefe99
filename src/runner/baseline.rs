//! The kernel counters of the nodes of a lab, before the fault and later.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use crate::evidence::NodeCounters;
use crate::lab::Lab;
use crate::lab::counters;
use crate::lab::error::LabError;
use crate::model::{Counters, Node, Role};

/// The counters of every host and router at one moment.
#[derive(Debug, Default)]
pub(super) struct CounterBaseline(BTreeMap<Node, Counters>);

impl CounterBaseline {
    /// Reads the counters of every node except the switches.
    pub(super) async fn read(lab: &Lab) -> Result<Self, LabError> {
        let nodes = lab.nodes().iter();
        let hosts = nodes.filter(|node| node.role != Role::Switch);
        let read = try_join_all(hosts.map(async |node| {
            let counters = counters::read(node).await?;
            Ok::<_, LabError>((node.node, counters))
        }));
        Ok(Self(read.await?.into_iter().collect()))
    }

    /// The increase of each counter of one node since the baseline, including zero increases.
    pub(super) async fn rises_at(&self, lab: &Lab, node: Node) -> Result<Counters, LabError> {
        let now = counters::read(lab.node(node)).await?;
        Ok(counters::rises(&self.of(node), &now))
    }

    /// The increase of the counters of all nodes since the baseline, without zero increases.
    pub(super) async fn rises(&self, lab: &Lab) -> Result<Vec<NodeCounters>, LabError> {
        let now = Self::read(lab).await?;
        let risen = |(node, now): (Node, Counters)| {
            let mut rises = counters::rises(&self.of(node), &now);
            rises.retain(|_, rise| *rise > 0);
            NodeCounters { node, rises }
        };
        Ok(now.0.into_iter().map(risen).collect())
    }

    fn of(&self, node: Node) -> Counters {
        self.0.get(&node).cloned().unwrap_or_default()
    }
}
