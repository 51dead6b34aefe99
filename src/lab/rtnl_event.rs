//! Converts an rtnetlink message to the network change that it announces. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType,
};

use crate::evidence::{Change, LinkState};

/// The latest state of each link. The kernel announces a link again after every change of it, also
/// if its state is the same.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<u32, LinkState>);

/// The index of the loopback interface, whose state is not part of the evidence.
const LOOPBACK: u32 = 1;

impl Links {
    /// Returns the change that a message announces, or `None` if it announces nothing new or
    /// nothing about the network of a case.
    pub(super) fn change(&mut self, message: &RouteNetlinkMessage) -> Option<Change> {
        match message {
            RouteNetlinkMessage::NewLink(link) => self.link(link),
            RouteNetlinkMessage::NewNeighbour(entry) => neighbour(entry),
            RouteNetlinkMessage::DelNeighbour(entry) => {
                let address = neighbour_address(entry)?;
                Some(Change::NeighbourGone { address })
            }
            RouteNetlinkMessage::NewRoute(route) => Some(Change::RouteAdded(route_text(route)?)),
            RouteNetlinkMessage::DelRoute(route) => Some(Change::RouteDeleted(route_text(route)?)),
            _ => None,
        }
    }

    fn link(&mut self, message: &LinkMessage) -> Option<Change> {
        let index = message.header.index;
        let name = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            })?;
        let flags = message.header.flags;
        let state = if !flags.contains(LinkFlags::Up) {
            LinkState::Down
        } else if flags.contains(LinkFlags::LowerUp) {
            LinkState::Up
        } else {
            LinkState::NoCarrier
        };
        let previous = self.0.insert(index, state);
        (index != LOOPBACK && previous != Some(state)).then_some(Change::Link {
            interface: name,
            state,
        })
    }
}

fn neighbour(message: &NeighbourMessage) -> Option<Change> {
    // A multicast address needs no resolution.
    if message.header.state == NeighbourState::Noarp {
        return None;
    }
    let address = neighbour_address(message)?;
    let state = message.header.state.to_string().to_uppercase();
    Some(Change::Neighbour { address, state })
}

/// Returns the IP address of the neighbour, or `None` for a multicast address or an entry of a
/// bridge, which has no IP address.
fn neighbour_address(message: &NeighbourMessage) -> Option<IpAddr> {
    let of = |attribute: &NeighbourAttribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => {
            Some((*address).into())
        }
        _ => None,
    };
    let address: IpAddr = message.attributes.iter().find_map(of)?;
    (!address.is_multicast()).then_some(address)
}

/// Formats a route as `ip route` does: `unreachable 198.51.100.0/24`. Returns `None` for a route
/// outside the main table, because the kernel derives those routes itself, and for other kinds of
/// routes.
fn route_text(message: &RouteMessage) -> Option<String> {
    if message.header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let (mut to, mut via) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = address_of(address),
            RouteAttribute::Gateway(address) => via = address_of(address),
            _ => {}
        }
    }
    let to = to.map_or_else(
        || "default".to_owned(),
        |to| format!("{to}/{}", message.header.destination_prefix_length),
    );
    let via = via.map(|via| format!(" via {via}")).unwrap_or_default();
    let kind = match message.header.kind {
        RouteType::Unicast => "",
        RouteType::Unreachable => "unreachable ",
        RouteType::Prohibit => "prohibit ",
        RouteType::BlackHole => "blackhole ",
        _ => return None,
    };
    Some(format!("{kind}{to}{via}"))
}

fn address_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, flags: LinkFlags) -> RouteNetlinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message
            .attributes
            .push(LinkAttribute::IfName("eth0".to_owned()));
        RouteNetlinkMessage::NewLink(message)
    }

    #[test]
    fn a_link_is_reported_once_for_each_state() {
        let mut links = Links::default();
        let changed = |state| {
            Some(Change::Link {
                interface: "eth0".to_owned(),
                state,
            })
        };
        let up = LinkFlags::Up | LinkFlags::LowerUp;
        assert_eq!(links.change(&link(2, up)), changed(LinkState::Up));
        assert_eq!(links.change(&link(2, up)), None);
        assert_eq!(
            links.change(&link(2, LinkFlags::Up)),
            changed(LinkState::NoCarrier)
        );
        assert_eq!(
            links.change(&link(2, LinkFlags::empty())),
            changed(LinkState::Down)
        );
        assert_eq!(links.change(&link(LOOPBACK, up)), None);
    }

    fn neighbour_message(state: NeighbourState, address: NeighbourAddress) -> RouteNetlinkMessage {
        let mut message = NeighbourMessage::default();
        message.header.state = state;
        message
            .attributes
            .push(NeighbourAttribute::Destination(address));
        RouteNetlinkMessage::NewNeighbour(message)
    }

    #[test]
    fn neighbours_are_reported_with_their_state_and_multicast_is_not() {
        let router = NeighbourAddress::Inet([192, 0, 2, 254].into());
        let change = Links::default().change(&neighbour_message(NeighbourState::Failed, router));
        let expected = Change::Neighbour {
            address: [192, 0, 2, 254].into(),
            state: "FAILED".to_owned(),
        };
        assert_eq!(change, Some(expected));
        let group = NeighbourAddress::Inet([224, 0, 0, 1].into());
        let change = Links::default().change(&neighbour_message(NeighbourState::Reachable, group));
        assert_eq!(change, None);
    }

    #[test]
    fn only_routes_of_the_main_table_are_reported() {
        let mut message = RouteMessage::default();
        message.header.kind = RouteType::Unreachable;
        message.header.destination_prefix_length = 24;
        let to = RouteAttribute::Destination(RouteAddress::Inet([198, 51, 100, 0].into()));
        message.attributes.push(to);
        let derived = RouteNetlinkMessage::NewRoute(message.clone());
        assert_eq!(Links::default().change(&derived), None);
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        let change = Links::default().change(&RouteNetlinkMessage::DelRoute(message));
        let text = "unreachable 198.51.100.0/24".to_owned();
        assert_eq!(change, Some(Change::RouteDeleted(text)));
    }
}
