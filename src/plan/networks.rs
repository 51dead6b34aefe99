//! The networks of a topology, and the addresses on them. All addresses are from the ranges for
//! documentation (RFC 5737, RFC 3849).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Subnet;
use crate::model::{Family, Node, Role, Topology};

/// The number of ranges in RFC 5737. Each is a /24.
const RANGES: u32 = 3;

/// The networks of a topology. All links of a switch belong to one network.
pub(super) struct Networks<'t> {
    topology: &'t Topology,
    /// The number of the network of each link. Networks are numbered from 0 in the order of their
    /// first links.
    of_link: Vec<u32>,
    count: u32,
}

impl<'t> Networks<'t> {
    pub(super) fn of(topology: &'t Topology) -> Self {
        let of_link = topology.networks();
        let count = of_link.iter().max().map_or(0, |last| last + 1);
        Self {
            topology,
            of_link,
            count,
        }
    }

    /// The address of a machine on one of its links; `None` for a switch.
    ///
    /// Hosts have the lowest addresses of a network in ascending order, routers the highest ones in
    /// descending order.
    pub(super) fn address(&self, family: Family, node: Node, link: usize) -> Option<Subnet> {
        let network = self.of_link[link];
        let role = self
            .topology
            .role(node)
            .filter(|role| *role != Role::Switch)?;
        let here = self
            .topology
            .machines()
            .iter()
            .filter(|machine| machine.role == role && self.is_on(machine.node, network));
        let before = here.take_while(|machine| machine.node != node).zip(0..);
        let before = before.last().map_or(0, |(_, place)| place + 1);
        let host = match role {
            Role::Host => 1 + before,
            Role::Router | Role::Switch => self.size() - 2 - before,
        };
        Some(match family {
            Family::Ipv4 => self.ipv4(network, host),
            Family::Ipv6 => ipv6(network, host),
        })
    }

    fn is_on(&self, node: Node, network: u32) -> bool {
        let mut links = self.topology.links().iter().zip(&self.of_link);
        links.any(|(link, of)| *of == network && link.across(node).is_some())
    }

    /// The number of addresses of an IPv4 network. Up to three networks have one range each; more
    /// networks share the ranges.
    fn size(&self) -> u32 {
        256 / self.count.div_ceil(RANGES).next_power_of_two()
    }

    fn ipv4(&self, network: u32, host: u32) -> Subnet {
        let start = network * self.size();
        let range = if self.count <= RANGES {
            network
        } else {
            start / 256
        };
        let base = match range {
            0 => Ipv4Addr::new(192, 0, 2, 0),
            1 => Ipv4Addr::new(198, 51, 100, 0),
            _ => Ipv4Addr::new(203, 0, 113, 0),
        };
        let address = u32::from(base) + start % 256 + host;
        // A network of 2^n addresses has n host bits.
        let prefix = 32 - self.size().trailing_zeros().min(8) as u8;
        Subnet {
            address: Ipv4Addr::from(address).into(),
            prefix,
        }
    }
}

/// An address on an IPv6 network. Each network has its own /64 of 2001:db8::/32.
fn ipv6(network: u32, host: u32) -> Subnet {
    let base = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0));
    let address = base + (u128::from(network + 1) << 80) + u128::from(host);
    Subnet {
        address: Ipv6Addr::from(address).into(),
        prefix: 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Preset;

    fn addresses(topology: &Topology, family: Family) -> Vec<String> {
        let networks = Networks::of(topology);
        let links = topology.links().iter().enumerate();
        let of_link = |(place, link): (usize, &crate::model::Link)| {
            link.between
                .map(|node| networks.address(family, node, place))
        };
        let all = links.flat_map(of_link).flatten();
        all.map(|subnet| subnet.to_string()).collect()
    }

    #[test]
    fn presets_have_the_addresses_that_they_always_had() {
        let of = |preset: Preset, family| addresses(&preset.into(), family).join(" ");
        assert_eq!(
            of(Preset::Switched, Family::Ipv4),
            "192.0.2.1/24 192.0.2.2/24"
        );
        assert_eq!(
            of(Preset::Routed, Family::Ipv4),
            "192.0.2.1/24 192.0.2.254/24 198.51.100.254/24 198.51.100.1/24"
        );
        assert_eq!(
            of(Preset::Routed, Family::Ipv6),
            "2001:db8:1::1/64 2001:db8:1::fe/64 2001:db8:2::fe/64 2001:db8:2::1/64"
        );
    }
}
