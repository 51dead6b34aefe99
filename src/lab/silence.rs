//! A node that neither sends nor hears, with its carrier up and its state kept: what goes out is dropped before its interface's queue, what
//! comes in before the stack has it. A capture sees the second and not the first, as at the port of a machine that hangs.
//!
//! *Why rules, and no bridge that is down or queue of length zero?* Both are changed under the lock of rtnetlink, for which a busy machine's
//! fault would wait; and each bridge that goes, when its namespace does, holds that lock for an RCU barrier (`br_multicast_dev_del`).

use super::error::LabError;
use super::nft::rules::{Chain, Hook, Table, TableFamily, Verdict};
use super::node::LabNode;

const MUTE: &str = "mute";
const DEAF: &str = "deaf";

impl LabNode {
    /// Sends nothing any more through this interface.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] where the kernel has no such filter, [`LabError::Netlink`] where it refuses.
    pub async fn mute(&self, interface: &str) -> Result<(), LabError> {
        let hook = Hook::Egress(vec![interface.to_owned()]);
        self.add_table(dropping(MUTE, hook)).await
    }

    /// Undoes [`Self::mute`].
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn unmute(&self) -> Result<(), LabError> {
        self.remove_table(TableFamily::Netdev, MUTE).await
    }

    /// Hears nothing any more at this interface.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] where the kernel has no such filter, [`LabError::Netlink`] where it refuses.
    pub async fn deafen(&self, interface: &str) -> Result<(), LabError> {
        let hook = Hook::Ingress(vec![interface.to_owned()]);
        self.add_table(dropping(DEAF, hook)).await
    }

    /// Undoes [`Self::deafen`].
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn undeafen(&self) -> Result<(), LabError> {
        self.remove_table(TableFamily::Netdev, DEAF).await
    }
}

fn dropping(name: &'static str, hook: Hook) -> Table {
    let all = Chain {
        name: "all",
        hook: Some(hook),
        policy: Verdict::Drop,
        rules: Vec::new(),
    };
    Table {
        name,
        family: TableFamily::Netdev,
        chains: vec![all],
    }
}
