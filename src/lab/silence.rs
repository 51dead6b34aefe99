//! A blackout of a node: it neither sends nor receives, but keeps its carrier and its state.
//! Outgoing packets are dropped before the queue of the interface, incoming packets before the
//! network stack. A capture sees the incoming packets but not the outgoing ones, as at the switch
//! port of a machine that hangs.
//!
//! *Why a packet filter, and not a bridge that is down or a queue of length zero?* Both are changed
//! under the RTNL lock, and on a busy machine a fault would wait for it. In addition, each bridge
//! that is destroyed with its namespace holds that lock for an RCU barrier
//! (`br_multicast_dev_del`).

use super::error::{Feature, LabError};
use super::nft::rules::{Chain, Hook, RuleVerdict, Table, TableFamily};
use super::node::LabNode;

const NEEDS: Feature = (
    "packet filter at interfaces",
    "CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_INGRESS, CONFIG_NETFILTER_EGRESS",
);

/// The table that drops all outgoing packets.
const MUTE: &str = "mute";
/// The table that drops all incoming packets.
const DEAF: &str = "deaf";

impl LabNode {
    /// Starts to drop all packets that the node sends or receives through this interface.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no such filter, [`LabError::Netlink`] if it
    /// refuses the rules.
    pub async fn silence(&self, interface: &str) -> Result<(), LabError> {
        let interfaces = || vec![interface.to_owned()];
        let outgoing = drop_all(MUTE, Hook::Egress(interfaces()));
        let incoming = drop_all(DEAF, Hook::Ingress(interfaces()));
        self.add_tables([outgoing, incoming]).await
    }

    /// Ends the blackout in both directions.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn unsilence(&self) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Netdev, [MUTE, DEAF]).await
    }

    /// Lets the node send again. Incoming packets are still dropped.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn unmute(&self) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Netdev, [MUTE]).await
    }

    /// Lets the node receive again.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn undeafen(&self) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Netdev, [DEAF]).await
    }
}

fn drop_all(name: &'static str, hook: Hook) -> Table {
    let all = Chain {
        name: "all",
        hook: Some(hook),
        policy: RuleVerdict::Drop,
        rules: Vec::new(),
    };
    Table {
        name,
        family: TableFamily::Netdev,
        needs: NEEDS,
        chains: vec![all],
    }
}
