use super::*;
use crate::scenario::model::Preset;

#[test]
fn links_join_neighbours_by_the_facing_interfaces() {
    let plan = NetworkPlan::new(&Preset::Routed.into(), Family::Ipv4);
    assert_eq!(
        plan.links,
        [
            LinkPlan {
                near: (0, 0),
                far: (1, 0),
                mtu: 1500
            },
            LinkPlan {
                near: (1, 1),
                far: (2, 0),
                mtu: 1500
            }
        ]
    );
}

#[test]
fn link_indices_are_unique_in_the_whole_lab() {
    for topology in [Preset::Direct, Preset::Switched, Preset::Routed] {
        let plan = NetworkPlan::new(&topology.into(), Family::Ipv4);
        let mut indices: Vec<_> = plan
            .nodes
            .iter()
            .flat_map(|n| n.interfaces.iter().map(|i| i.index))
            .collect();
        let count = indices.len();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), count);
    }
}

#[test]
fn hardware_addresses_are_unique() {
    for topology in [Preset::Direct, Preset::Switched, Preset::Routed] {
        let plan = NetworkPlan::new(&topology.into(), Family::Ipv6);
        let mut macs: Vec<_> = plan
            .nodes
            .iter()
            .flat_map(|n| n.interfaces.iter().map(|i| i.mac))
            .collect();
        let count = macs.len();
        macs.sort_unstable();
        macs.dedup();
        assert_eq!(macs.len(), count);
    }
}

#[test]
fn every_node_with_addresses_has_a_route_to_both_ends() {
    for (topology, nodes) in [
        (Preset::Direct, vec![Node::CLIENT, Node::SERVER]),
        (
            Preset::Routed,
            vec![Node::CLIENT, Node::ROUTER, Node::SERVER],
        ),
    ] {
        for family in [Family::Ipv4, Family::Ipv6] {
            let plan = NetworkPlan::new(&topology.into(), family);
            for node in &nodes {
                for end in [End::Client, End::Server] {
                    assert!(
                        plan.route(*node, end).is_some(),
                        "{topology} {family} {node} to {end}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_clients_route_goes_through_the_router() {
    let plan = NetworkPlan::new(&Preset::Routed.into(), Family::Ipv4);
    let route = plan.route(Node::CLIENT, End::Server).unwrap();
    assert_eq!(route.to.to_string(), "198.51.100.0/24");
    assert_eq!(route.via.unwrap().to_string(), "192.0.2.254");
}
