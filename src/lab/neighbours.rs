//! The neighbour entries of a node (ARP, NDP).

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage};

use super::error::LabError;
use super::node::LabNode;

/// A hardware address that no interface has, from the documentation range (RFC 7042).
const UNUSED_MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0xff];

impl LabNode {
    /// Deletes a neighbour entry, whatever its state is (`neigh_delete`). The next packet to the
    /// neighbour starts a new address resolution. A missing entry is not an error.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn forget_neighbour(
        &self,
        link: u32,
        address: IpAddr,
    ) -> Result<(), LabError> {
        let mut message = NeighbourMessage::default();
        message.header.ifindex = link;
        message.header.family = match address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message
            .attributes
            .push(NeighbourAttribute::Destination(address.into()));
        let deleted = self.handle.neighbours().del(message).execute().await;
        let doing = format!("delete the neighbour entry of {address}");
        match deleted.map_err(self.failed(doing)) {
            // There was no entry.
            Err(error) if error.errno() == Some(nix::libc::ENOENT) => Ok(()),
            done => done,
        }
    }

    /// Installs a permanent neighbour entry with an unused hardware address.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn mistake_neighbour(
        &self,
        link: u32,
        address: IpAddr,
    ) -> Result<(), LabError> {
        self.handle
            .neighbours()
            .add(link, address)
            .link_layer_address(&UNUSED_MAC)
            .replace()
            .execute()
            .await
            .map_err(self.failed(format!("set a wrong neighbour entry for {address}")))
    }
}
