//! What the kernel has announced of one namespace's links and addresses (rtnetlink multicast).
//! Nothing is polled.
//!
//! A frame sent before the carrier is up is lost (the queue is still `noop`), and so would be a
//! SYN, at the price of a second. An IPv6 address can neither be bound nor be asked for by its
//! neighbours until a work queue has joined its solicited-node group (`addrconf_dad_work`), even
//! where duplicate address detection is off.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, State};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::sys::SocketAddr;
use tokio::sync::watch;

use super::event_log::EventLog;
use super::rtnl_event::Links;

/// The latest word on each link and address.
#[derive(Debug, Default)]
pub(super) struct LinkStates {
    /// Link index to whether the link is usable.
    links: BTreeMap<u32, bool>,
    /// IPv6 addresses that are past their tentative state, by the index of their link.
    addresses: BTreeSet<(u32, IpAddr)>,
}

type Messages = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

impl LinkStates {
    /// Whether the link has its carrier and its queue.
    pub(super) fn is_link_usable(&self, link: u32) -> bool {
        self.links.get(&link) == Some(&true)
    }

    /// Whether the IPv6 address can be bound and found, and the link has its link-local one too: a
    /// router asks for a neighbour with that, and drops what it should forward while it has
    /// none (`ndisc_send_ns`).
    pub(super) fn is_address_usable(&self, link: u32, address: IpAddr) -> bool {
        let is_link_local = |address: &IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        let mut of_link = self.addresses.iter().filter(|(index, _)| *index == link);
        self.addresses.contains(&(link, address)) && of_link.any(|(_, known)| is_link_local(known))
    }
}

/// Follows the announcements until the socket is closed.
pub(super) async fn follow(
    mut messages: Messages,
    link_states: watch::Sender<LinkStates>,
    event_log: EventLog,
) {
    let mut links = Links::default();
    while let Some((message, _)) = messages.next().await {
        let NetlinkPayload::InnerMessage(message) = message.payload else {
            continue;
        };
        if let Some(change) = links.change(&message) {
            event_log.note(change);
        }
        match message {
            RouteNetlinkMessage::NewLink(link) => link_states.send_modify(|known| {
                known.links.insert(link.header.index, is_usable(&link));
            }),
            RouteNetlinkMessage::NewAddress(address) => {
                link_states.send_modify(|known| known.take_address(&address));
            }
            RouteNetlinkMessage::DelAddress(address) => {
                link_states.send_modify(|known| known.lose_address(&address));
            }
            _ => {}
        }
    }
}

impl LinkStates {
    fn lose_address(&mut self, message: &AddressMessage) {
        for attribute in &message.attributes {
            if let AddressAttribute::Address(address) = attribute {
                self.addresses.remove(&(message.header.index, *address));
            }
        }
    }

    fn take_address(&mut self, message: &AddressMessage) {
        let tentative = message.attributes.iter().any(|attribute| {
            matches!(attribute, AddressAttribute::Flags(flags) if flags.contains(AddressFlags::Tentative))
        }) || message.header.flags.contains(AddressHeaderFlags::Tentative);
        for attribute in &message.attributes {
            if let AddressAttribute::Address(address) = attribute {
                let known = (message.header.index, *address);
                if tentative {
                    self.addresses.remove(&known);
                } else {
                    self.addresses.insert(known);
                }
            }
        }
    }
}

/// Up, with carrier, and past the deferred activation of its queue (`linkwatch_do_dev`), which is
/// what makes `operstate` up.
fn is_usable(link: &LinkMessage) -> bool {
    let flags_up = link
        .header
        .flags
        .contains(LinkFlags::Up | LinkFlags::LowerUp);
    let operational = link
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, LinkAttribute::OperState(State::Up)));
    flags_up && operational
}
