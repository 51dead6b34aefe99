//! One machine of the lab: its namespace, and its links over rtnetlink.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use netlink_packet_route::link::{InfoData, InfoVeth, LinkMessage};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, MulticastGroup};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::error::{Feature, LabError};
use super::event_log::EventLog;
use super::link_states::{self, LinkStates};
use super::namespace::Namespace;
use super::sysctl::{self, Setting};
use crate::evidence::{Excerpt, NetworkChange};
use crate::model::{Family, Node, Role};
use crate::plan::{InterfacePlan, NetworkPlan};

/// The rtnetlink multicast groups that a node joins.
const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// How long to wait until a link that was set up is usable, before the lab is given up. A busy
/// machine needs far less.
const PATIENCE: Duration = Duration::from_secs(20);

/// A namespace with an rtnetlink connection into it.
#[derive(Debug)]
pub struct LabNode {
    /// The machine of the topology.
    pub(crate) node: Node,
    /// How the node handles packets that are not addressed to it.
    pub(crate) role: Role,
    /// The namespace itself.
    pub(crate) namespace: Namespace,
    pub(super) handle: Handle,
    link_states: watch::Receiver<LinkStates>,
    event_log: EventLog,
    /// The task of the netlink connection and the task that reads its events. Both are aborted on
    /// drop, because each would wait for the other to end.
    tasks: [AbortHandle; 2],
}

impl LabNode {
    /// Creates the namespace and sets its sysctls before it has any link that could inherit other
    /// values. Its rtnetlink connection runs on the runtime `netlink`.
    ///
    /// # Errors
    /// [`LabError`] if the kernel refuses the namespace, the netlink socket or a sysctl.
    pub(crate) async fn create(
        node: Node,
        role: Role,
        plans: &[NetworkPlan],
        settings: Vec<Setting>,
        netlink: &tokio::runtime::Handle,
    ) -> Result<Self, LabError> {
        let needs_ipv6 = plans.iter().any(|plan| plan.family == Family::Ipv6);
        let (namespace, (connection, handle, messages)) =
            Namespace::create(&node.to_string(), move || {
                sysctl::apply(&node.to_string(), &settings, needs_ipv6)?;
                rtnetlink::new_multicast_connection(&GROUPS).map_err(|source| LabError::Socket {
                    doing: "open an rtnetlink socket".to_owned(),
                    node: node.to_string(),
                    source,
                })
            })
            .await?;
        let (sender, link_states) = watch::channel(LinkStates::default());
        let event_log = EventLog::of(node);
        let following = link_states::follow(messages, sender, event_log.clone());
        let tasks = [
            netlink.spawn(connection).abort_handle(),
            tokio::spawn(following).abort_handle(),
        ];
        Ok(Self {
            node,
            role,
            namespace,
            handle,
            link_states,
            event_log,
            tasks,
        })
    }

    /// Returns the rtnetlink events of the node's network since the node was created.
    #[must_use]
    pub(crate) fn changes(&self) -> Excerpt<NetworkChange> {
        self.event_log.so_far()
    }

    pub(super) fn failed(&self, doing: String) -> impl FnOnce(rtnetlink::Error) -> LabError {
        let node = self.node.to_string();
        move |error| LabError::Netlink {
            doing,
            node,
            source: io_error(error),
        }
    }

    /// Creates a veth pair with each end in its final namespace and under its final name: moving or
    /// renaming one later costs tens of milliseconds under the kernel's RTNL lock.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no veth, [`LabError::Netlink`] otherwise.
    pub(crate) async fn add_veth(
        &self,
        near: &InterfacePlan,
        far_node: &Self,
        far: &InterfacePlan,
        mtu: u16,
    ) -> Result<(), LabError> {
        let far_end = LinkUnspec::new_with_index(far.index)
            .name(far.name.to_owned())
            .address(far.mac.to_vec())
            .mtu(mtu.into())
            .setns_by_fd(far_node.namespace.as_fd().as_raw_fd())
            .build();
        let pair = LinkMessageBuilder::<LinkVeth>::new(&near.name, &far.name)
            .index(near.index)
            .address(near.mac.to_vec())
            .mtu(mtu.into())
            .set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)))
            .build();
        let doing = format!(
            "create the link {} - {} {}",
            near.name, far_node.node, far.name
        );
        self.add_link(pair, doing, ("veth devices", "CONFIG_VETH"))
            .await
    }

    /// Creates a bridge, which is still down.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no bridges, [`LabError::Netlink`] otherwise.
    pub(crate) async fn add_bridge(&self, name: &str, index: u32) -> Result<(), LabError> {
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
        (feature, option): Feature,
    ) -> Result<(), LabError> {
        self.handle
            .link()
            .add(message)
            .execute()
            .await
            .map_err(|error| match io_error(error) {
                // rtnl_newlink returns this error for a link kind that is neither built in nor
                // available as a module.
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

    /// Makes a link a port of the bridge.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn set_bridge(&self, link: u32, bridge: u32) -> Result<(), LabError> {
        let message = LinkUnspec::new_with_index(link).controller(bridge);
        let doing = format!("make link {link} a port of bridge {bridge}");
        self.change_link(message, doing).await
    }

    /// Sets a link up or down.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn set_up(&self, link: u32, up: bool) -> Result<(), LabError> {
        let message = LinkUnspec::new_with_index(link);
        let message = if up { message.up() } else { message.down() };
        let doing = format!("set link {link} {}", if up { "up" } else { "down" });
        self.change_link(message, doing).await
    }

    /// Sets the MTU of a link, in bytes.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn set_mtu(&self, link: u32, bytes: u32) -> Result<(), LabError> {
        let message = LinkUnspec::new_with_index(link).mtu(bytes);
        let doing = format!("set the MTU of link {link} to {bytes}");
        self.change_link(message, doing).await
    }

    /// Sets the hardware address of a link, which may be up (`IFF_LIVE_ADDR_CHANGE`).
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn set_mac(&self, link: u32, mac: [u8; 6]) -> Result<(), LabError> {
        let message = LinkUnspec::new_with_index(link).address(mac.to_vec());
        let doing = format!("set the hardware address of link {link}");
        self.change_link(message, doing).await
    }

    async fn change_link(
        &self,
        message: LinkMessageBuilder<LinkUnspec>,
        doing: String,
    ) -> Result<(), LabError> {
        let change = self.handle.link().set(message.build());
        change.execute().await.map_err(self.failed(doing))
    }

    /// Waits until the kernel announces that the link has its carrier and that its address, if it
    /// has one, is usable.
    ///
    /// # Errors
    /// [`LabError::NotReady`] after twenty seconds.
    pub(crate) async fn wait_until_usable(
        &self,
        interface: &InterfacePlan,
    ) -> Result<(), LabError> {
        self.wait_for(interface, |known| {
            known.is_link_usable(interface.index) && has_address(known, interface)
        })
        .await
    }

    /// Waits until the address of the interface is usable, with or without a carrier. Duplicate
    /// address detection is off, so an address becomes usable without a carrier too.
    ///
    /// # Errors
    /// [`LabError::NotReady`] after twenty seconds.
    pub(crate) async fn wait_until_addressed(
        &self,
        interface: &InterfacePlan,
    ) -> Result<(), LabError> {
        self.wait_for(interface, |known| has_address(known, interface))
            .await
    }

    async fn wait_for(
        &self,
        interface: &InterfacePlan,
        is_ready: impl Fn(&LinkStates) -> bool,
    ) -> Result<(), LabError> {
        let mut link_states = self.link_states.clone();
        let ready = link_states.wait_for(|known| is_ready(known));
        match tokio::time::timeout(PATIENCE, ready).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(LabError::NotReady {
                interface: interface.name.clone(),
                node: self.node.to_string(),
                waited: PATIENCE,
            }),
        }
    }
}

/// Returns whether the IPv6 address of the interface, if it has one, is usable. An IPv4 address is
/// usable at once.
fn has_address(known: &LinkStates, interface: &InterfacePlan) -> bool {
    let address = interface.address.map(|subnet| subnet.address);
    address
        .filter(IpAddr::is_ipv6)
        .is_none_or(|address| known.is_address_usable(interface.index, address))
}

impl Drop for LabNode {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Converts the error. Keeps the kernel's error code if there is one.
fn io_error(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other.to_string()),
    }
}
