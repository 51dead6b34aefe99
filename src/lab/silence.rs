//! A node that neither sends nor hears, with its carrier up and its state kept: what goes out is
//! dropped before its interface's queue, what comes in before the stack has it. A capture sees the
//! second and not the first, as at the port of a machine that hangs.
//!
//! *Why a packet filter, and no bridge that is down or queue of length zero?* Those are changed
//! under the lock of rtnetlink, for which a fault would wait on a busy machine; and each bridge
//! that goes, when its namespace does, holds that lock for an RCU barrier (`br_multicast_dev_del`).

use super::error::{Feature, LabError};
use super::nft::rules::{Chain, Hook, RuleVerdict, Table, TableFamily};
use super::node::LabNode;

const NEEDS: Feature = (
    "packet filter at interfaces",
    "CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_INGRESS, CONFIG_NETFILTER_EGRESS",
);

/// The table that keeps a node from sending.
const MUTE: &str = "mute";
/// The table that keeps a node from hearing.
const DEAF: &str = "deaf";

impl LabNode {
    /// Sends and hears nothing any more through this interface.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] where the kernel has no such filter, [`LabError::Netlink`]
    /// where it refuses.
    pub async fn silence(&self, interface: &str) -> Result<(), LabError> {
        let interfaces = || vec![interface.to_owned()];
        let mute = dropping(MUTE, Hook::Egress(interfaces()));
        let deaf = dropping(DEAF, Hook::Ingress(interfaces()));
        self.add_tables([mute, deaf]).await
    }

    /// Sends and hears again.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn unsilence(&self) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Netdev, [MUTE, DEAF]).await
    }

    /// Sends again, and hears nothing yet.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn unmute(&self) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Netdev, [MUTE]).await
    }

    /// Hears again.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn undeafen(&self) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Netdev, [DEAF]).await
    }
}

fn dropping(name: &'static str, hook: Hook) -> Table {
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
