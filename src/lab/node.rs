//! One machine of the lab: its namespace and what can be done to its links, addresses, routes and queues over rtnetlink.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use futures::StreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags};
use netlink_packet_route::link::{InfoData, InfoVeth, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::{
    Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, MulticastGroup,
    RouteMessageBuilder,
};
use tokio::sync::watch;

use super::error::LabError;
use super::links::{self, Carriers};
use super::namespace::Namespace;
use super::sysctl::{self, Setting};
use crate::plan::{InterfacePlan, RoutePlan, Subnet};
use crate::scenario::model::{Family, Node};

/// How long a link that was set up may take to have its carrier before the lab is given up: far beyond a busy machine's worst.
const CARRIER_PATIENCE: Duration = Duration::from_secs(20);

/// A namespace with an rtnetlink connection into it.
#[derive(Debug)]
pub struct LabNode {
    /// Which machine it plays.
    pub node: Node,
    /// The namespace itself.
    pub namespace: Namespace,
    handle: Handle,
    carriers: watch::Receiver<Carriers>,
}

impl LabNode {
    /// Makes the namespace and sets its sysctls, before it has any link that could inherit others.
    ///
    /// # Errors
    /// [`LabError`] where the kernel refuses the namespace, the netlink socket or a sysctl.
    pub async fn create(node: Node, family: Family, extra: Vec<Setting>) -> Result<Self, LabError> {
        let (namespace, (connection, handle, messages)) =
            Namespace::create(&node.to_string(), move || {
                let settings: Vec<Setting> = sysctl::pinned(node, family)
                    .into_iter()
                    .chain(extra)
                    .collect();
                sysctl::apply(&node.to_string(), &settings, family)?;
                rtnetlink::new_multicast_connection(&[MulticastGroup::Link]).map_err(|source| {
                    LabError::Socket {
                        doing: "open an rtnetlink socket".to_owned(),
                        node: node.to_string(),
                        source,
                    }
                })
            })
            .await?;
        let (sender, carriers) = watch::channel(Carriers::new());
        // Both end by themselves when the last handle is dropped.
        tokio::spawn(connection);
        tokio::spawn(links::follow(messages, sender));
        Ok(Self {
            node,
            namespace,
            handle,
            carriers,
        })
    }

    fn failed(&self, doing: String) -> impl FnOnce(rtnetlink::Error) -> LabError {
        let node = self.node.to_string();
        move |error| LabError::Netlink {
            doing,
            node,
            source: io_error(error),
        }
    }

    /// Creates a veth pair with both ends where they belong, under their final names: moving or renaming one later costs tens of
    /// milliseconds under the kernel's RTNL lock.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] without veth in the kernel, [`LabError::Netlink`] otherwise.
    pub async fn add_veth(
        &self,
        near: &InterfacePlan,
        far_node: &Self,
        far: &InterfacePlan,
    ) -> Result<(), LabError> {
        let far_end = LinkUnspec::new_with_index(far.index)
            .name(far.name.to_owned())
            .address(far.mac.to_vec())
            .setns_by_fd(far_node.namespace.as_fd().as_raw_fd())
            .build();
        let pair = LinkMessageBuilder::<LinkVeth>::new(near.name, far.name)
            .index(near.index)
            .address(near.mac.to_vec())
            .set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)))
            .build();
        let doing = format!(
            "create the link {} - {} {}",
            near.name, far_node.node, far.name
        );
        self.add_link(pair, doing, ("veth devices", "CONFIG_VETH"))
            .await
    }

    /// Creates a bridge, down.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] without bridges in the kernel, [`LabError::Netlink`] otherwise.
    pub async fn add_bridge(&self, name: &str, index: u32) -> Result<(), LabError> {
        let bridge = LinkMessageBuilder::<LinkBridge>::new(name)
            .index(index)
            .mcast_snooping(false)
            .build();
        self.add_link(
            bridge,
            format!("create the bridge {name}"),
            ("bridge devices", "CONFIG_BRIDGE"),
        )
        .await
    }

    async fn add_link(
        &self,
        message: LinkMessage,
        doing: String,
        (feature, option): (&'static str, &'static str),
    ) -> Result<(), LabError> {
        self.handle
            .link()
            .add(message)
            .execute()
            .await
            .map_err(|error| match io_error(error) {
                // rtnl_newlink says so of a kind for which there is neither code nor module.
                source if source.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => {
                    LabError::MissingFeature { feature, option }
                }
                source => LabError::Netlink {
                    doing,
                    node: self.node.to_string(),
                    source,
                },
            })
    }

    /// Deletes a link.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn delete_link(&self, link: u32) -> Result<(), LabError> {
        self.handle
            .link()
            .del(link)
            .execute()
            .await
            .map_err(self.failed(format!("delete link {link}")))
    }

    /// Makes a link a port of the bridge (or of none).
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn set_bridge(&self, link: u32, bridge: Option<u32>) -> Result<(), LabError> {
        let message = LinkUnspec::new_with_index(link);
        let (message, doing) = match bridge {
            Some(index) => (
                message.controller(index),
                format!("make link {link} a port of bridge {index}"),
            ),
            None => (
                message.nocontroller(),
                format!("take link {link} out of its bridge"),
            ),
        };
        self.handle
            .link()
            .set(message.build())
            .execute()
            .await
            .map_err(self.failed(doing))
    }

    /// Sets a link up or down.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn set_up(&self, link: u32, up: bool) -> Result<(), LabError> {
        let message = LinkUnspec::new_with_index(link);
        let message = if up { message.up() } else { message.down() };
        let doing = format!("set link {link} {}", if up { "up" } else { "down" });
        self.handle
            .link()
            .set(message.build())
            .execute()
            .await
            .map_err(self.failed(doing))
    }

    /// Waits until the kernel announces that the link is usable.
    ///
    /// # Errors
    /// [`LabError::NoCarrier`] after twenty seconds.
    pub async fn wait_for_carrier(&self, interface: &InterfacePlan) -> Result<(), LabError> {
        let mut carriers = self.carriers.clone();
        let usable = carriers.wait_for(|known| known.get(&interface.index) == Some(&true));
        match tokio::time::timeout(CARRIER_PATIENCE, usable).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(LabError::NoCarrier {
                interface: interface.name.to_owned(),
                node: self.node.to_string(),
                waited: CARRIER_PATIENCE,
            }),
        }
    }

    /// Adds an address to a link.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn add_address(&self, link: u32, subnet: Subnet) -> Result<(), LabError> {
        let mut request = self
            .handle
            .address()
            .add(link, subnet.address, subnet.prefix);
        if subnet.address.is_ipv6() {
            // accept_dad = 0 still leaves the address tentative until a work item of the kernel (addrconf_dad_work) has run, and a
            // busy machine runs it late: nobody can bind to the address meanwhile, and nobody is answered who asks for it.
            let at_once = AddressAttribute::Flags(AddressFlags::Nodad);
            request.message_mut().attributes.push(at_once);
        }
        request
            .execute()
            .await
            .map_err(self.failed(format!("add address {subnet} to link {link}")))
    }

    /// Adds a route.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn add_route(&self, route: RoutePlan) -> Result<(), LabError> {
        let doing = format!("add route {}", route.to);
        let mut builder = destination(route.to).output_interface(route.interface);
        if let Some(via) = route.via {
            builder = gateway(builder, via);
        } else if route.to.address.is_ipv4() {
            builder = builder.scope(RouteScope::Link);
        }
        self.handle
            .route()
            .add(builder.build())
            .execute()
            .await
            .map_err(self.failed(doing))
    }

    /// Adds a route of a kind that sends nothing anywhere: unreachable, prohibit, blackhole.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn add_dead_route(&self, to: Subnet, kind: RouteType) -> Result<(), LabError> {
        let doing = format!("add {kind:?} route {to}");
        let route = destination(to).kind(kind).build();
        self.handle
            .route()
            .add(route)
            .execute()
            .await
            .map_err(self.failed(doing))
    }

    /// Deletes whatever route the main table has to exactly this network.
    ///
    /// # Errors
    /// [`LabError::Netlink`], also where there is none.
    pub async fn delete_route(&self, to: Subnet) -> Result<(), LabError> {
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

    /// Puts a queue of length zero at the root of the link, which drops whatever the node sends, or takes it away again.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn set_mute(&self, link: u32, mute: bool) -> Result<(), LabError> {
        let mut message = TcMessage::default();
        message.header.index = link.cast_signed();
        message.header.parent = TcHandle::ROOT;
        if !mute {
            let mut request = self.handle.qdisc().del(link.cast_signed());
            *request.message_mut() = message;
            return request
                .execute()
                .await
                .map_err(self.failed(format!("unmute link {link}")));
        }
        message.header.handle = TcHandle { major: 1, minor: 0 };
        message
            .attributes
            .push(TcAttribute::Kind("pfifo".to_owned()));
        // struct tc_fifo_qopt { __u32 limit; } (include/uapi/linux/pkt_sched.h)
        message.attributes.push(TcAttribute::Other(DefaultNla::new(
            TCA_OPTIONS,
            0_u32.to_ne_bytes().to_vec(),
        )));
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        let mut handle = self.handle.clone();
        let doing = format!("mute link {link}");
        let mut answers = handle
            .request(request)
            .map_err(self.failed(doing.clone()))?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload {
                return Err(self.failed(doing)(rtnetlink::Error::NetlinkError(error)));
            }
        }
        Ok(())
    }
}

/// `TCA_OPTIONS` (include/uapi/linux/rtnetlink.h).
const TCA_OPTIONS: u16 = 2;

/// A route's message with the destination set, in the family of the destination.
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

/// The kernel's own error where there is one.
fn io_error(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other.to_string()),
    }
}
