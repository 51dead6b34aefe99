//! A node's entries for its neighbours (ARP, NDP).

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage};

use super::error::LabError;
use super::node::LabNode;

/// Nobody's, from the documentation range (RFC 7042).
const NOBODY: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0xff];

impl LabNode {
    /// Forgets a neighbour, whatever it knew of it: the next packet has to ask (`neigh_delete`).
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
        let forgotten = self.handle.neighbours().del(message).execute().await;
        let doing = format!("forget the neighbour {address}");
        match forgotten.map_err(self.failed(doing)) {
            // It knew none.
            Err(error) if error.errno() == Some(nix::libc::ENOENT) => Ok(()),
            done => done,
        }
    }

    /// Takes a hardware address that nobody has for a neighbour's, for good.
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
            .link_layer_address(&NOBODY)
            .replace()
            .execute()
            .await
            .map_err(self.failed(format!("mistake the neighbour {address}")))
    }
}
