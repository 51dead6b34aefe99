//! A node's addresses and routes.

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteAttribute, RouteProtocol, RouteScope, RouteType};
use rtnetlink::RouteMessageBuilder;

use super::error::LabError;
use super::node::LabNode;
use crate::plan::{RoutePlan, Subnet};

/// The metric of a backup route. It is larger than the metric of any other route, which is 0 in
/// IPv4 and 1024 in IPv6 (`IP6_RT_PRIO_USER`).
const BACKUP_METRIC: u32 = 2048;

impl LabNode {
    /// Adds an address to a link.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn add_address(&self, link: u32, subnet: Subnet) -> Result<(), LabError> {
        self.handle
            .address()
            .add(link, subnet.address, subnet.prefix)
            .execute()
            .await
            .map_err(self.failed(format!("add address {subnet} to link {link}")))
    }

    /// Removes an address from its link.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn remove_address(&self, link: u32, subnet: Subnet) -> Result<(), LabError> {
        let addresses = self.handle.address();
        // A delete request contains the same message as an add request.
        let message = addresses
            .add(link, subnet.address, subnet.prefix)
            .message_mut()
            .clone();
        let removed = addresses.del(message).execute().await;
        removed.map_err(self.failed(format!("remove address {subnet} from link {link}")))
    }

    /// Adds a route.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn add_route(&self, route: RoutePlan) -> Result<(), LabError> {
        let doing = format!("add route {}", route.to);
        let mut builder = destination(route.to).output_interface(route.interface);
        if let Some(via) = route.via {
            builder = gateway(builder, via);
        } else if route.to.address.is_ipv4() {
            builder = builder.scope(RouteScope::Link);
        }
        if route.is_backup {
            let metric = RouteAttribute::Priority(BACKUP_METRIC);
            builder.get_mut().attributes.push(metric);
        }
        self.handle
            .route()
            .add(builder.build())
            .execute()
            .await
            .map_err(self.failed(doing))
    }

    /// Adds a route that discards packets: unreachable, prohibit or blackhole.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn add_dead_route(&self, to: Subnet, kind: RouteType) -> Result<(), LabError> {
        let doing = format!("add {kind:?} route {to}");
        let route = destination(to).kind(kind).build();
        self.handle
            .route()
            .add(route)
            .execute()
            .await
            .map_err(self.failed(doing))
    }

    /// Deletes every route of the main table to exactly this network.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn delete_routes(&self, to: Subnet) -> Result<(), LabError> {
        loop {
            match self.delete_route(to).await {
                Err(error) if error.errno() == Some(nix::libc::ESRCH) => return Ok(()),
                deleted => deleted?,
            }
        }
    }

    /// Deletes one route to exactly this network. Fails with ESRCH if there is none.
    async fn delete_route(&self, to: Subnet) -> Result<(), LabError> {
        let mut route = destination(to);
        // Unspecified is the wildcard for both (fib_table_delete, ip6_route_del).
        let header = &mut route.get_mut().header;
        header.kind = RouteType::Unspec;
        header.protocol = RouteProtocol::Unspec;
        header.scope = RouteScope::NoWhere;
        let doing = format!("delete route {to}");
        self.handle
            .route()
            .del(route.build())
            .execute()
            .await
            .map_err(self.failed(doing))
    }
}

/// Returns a route message for the destination, in the address family of the destination.
fn destination(to: Subnet) -> RouteMessageBuilder<IpAddr> {
    let mut builder = RouteMessageBuilder::<IpAddr>::new();
    let message = builder.get_mut();
    message.header.address_family = if to.address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    message.header.destination_prefix_length = to.prefix;
    message
        .attributes
        .push(RouteAttribute::Destination(to.address.into()));
    builder
}

fn gateway(mut builder: RouteMessageBuilder<IpAddr>, via: IpAddr) -> RouteMessageBuilder<IpAddr> {
    builder
        .get_mut()
        .attributes
        .push(RouteAttribute::Gateway(via.into()));
    builder
}
