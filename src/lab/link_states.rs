//! The states of one namespace's links and addresses, as the kernel announces them (rtnetlink
//! multicast). Nothing is polled.
//!
//! A frame that is sent before the carrier is up is lost (the queue is still `noop`). If that frame
//! is a SYN, the connection is delayed by a second. An IPv6 address cannot be bound, and its
//! neighbours cannot resolve it, until a work queue has joined its solicited-node multicast group
//! (`addrconf_dad_work`), even if duplicate address detection is off.

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

/// The latest announced state of each link and address.
#[derive(Debug, Default)]
pub(super) struct LinkStates {
    /// Whether each link is usable, by link index.
    links: BTreeMap<u32, bool>,
    /// IPv6 addresses that are past their tentative state, by the index of their link.
    addresses: BTreeSet<(u32, IpAddr)>,
}

type Messages = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

impl LinkStates {
    /// Returns whether the link has its carrier and its queue is active.
    pub(super) fn is_link_usable(&self, link: u32) -> bool {
        self.links.get(&link) == Some(&true)
    }

    /// Returns whether the IPv6 address can be bound and resolved, and the link also has its
    /// link-local address. A router sends its neighbour solicitations from the link-local address.
    /// While it has none, it drops the packets that it should forward (`ndisc_send_ns`).
    pub(super) fn is_address_usable(&self, link: u32, address: IpAddr) -> bool {
        let is_link_local = |address: &IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        let mut of_link = self.addresses.iter().filter(|(index, _)| *index == link);
        self.addresses.contains(&(link, address)) && of_link.any(|(_, known)| is_link_local(known))
    }
}

/// Processes the announcements until the socket is closed.
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

/// Returns whether the link is up, has a carrier, and has an active queue. The queue is activated
/// with a delay (`linkwatch_do_dev`), which also sets `operstate` to up.
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
