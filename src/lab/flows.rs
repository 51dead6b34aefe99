//! The connection tracking table of a router.

use nix::libc::NFNL_SUBSYS_CTNETLINK;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkBuffer};

use super::error::LabError;
use super::node::LabNode;
use super::{firewall, nft, sysctl};
use crate::model::TrackingSeconds;

/// `IPCTNL_MSG_CT_DELETE` (include/uapi/linux/netfilter/nfnetlink_conntrack.h); without a tuple,
/// all flows (`ctnetlink_del_conntrack`).
const DELETE: u16 = 2;

impl LabNode {
    /// Deletes every flow from the table.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no netlink access to connection tracking,
    /// [`LabError::Netlink`] if it refuses the request.
    pub(crate) async fn forget_flows(&self) -> Result<(), LabError> {
        let node = self.node.to_string();
        let needs = (
            "netlink access to connection tracking",
            "CONFIG_NF_CT_NETLINK",
        );
        let work = move || nft::request((&node, needs), "delete all flows", &flush());
        self.namespace.run(work).await
    }

    /// Sets the time after which an idle, established flow is deleted. It applies to each flow from
    /// its next segment on.
    ///
    /// # Errors
    /// [`LabError::Sysctl`].
    pub(crate) async fn remember_flows(&self, time: TrackingSeconds) -> Result<(), LabError> {
        let node = self.node.to_string();
        let work = move || sysctl::write(&node, &firewall::established(time));
        self.namespace.run(work).await
    }
}

/// Returns the delete request: a header, followed only by a `struct nfgenmsg` of four zero bytes
/// (no family, no version).
fn flush() -> [u8; 20] {
    let mut bytes = [0; 20];
    let mut message = NetlinkBuffer::new(&mut bytes);
    message.set_length(20);
    message.set_message_type((NFNL_SUBSYS_CTNETLINK as u16) << 8 | DELETE);
    message.set_flags(NLM_F_REQUEST | NLM_F_ACK);
    message.set_sequence_number(1);
    bytes
}
