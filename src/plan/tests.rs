use super::*;
use crate::model::Preset;

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

/// The network of a file that lists its machines and links.
fn graph(nodes: &str, links: &[&str], more: &str) -> NetworkPlan {
    let link = |link: &&str| {
        let (near, far) = link.split_once(' ').unwrap();
        format!("{{ between = ['{near}', '{far}'] }}")
    };
    let links: Vec<String> = links.iter().map(link).collect();
    let text = format!(
        "summary = 's'\n\
         topology = {{ family = 'ipv4', nodes = {{ {nodes} }}, links = [{}]{more} }}\n\
         expect.client.survives = '1s'\n",
        links.join(", ")
    );
    let scenario = crate::scenario::parse(std::path::Path::new("x.toml"), &text).unwrap();
    let case = &scenario.cases[0];
    NetworkPlan::new(&case.topology, case.family).with_firewall(case.firewall)
}

/// A node's routes to an end's network, as `next router`, the backup in brackets.
fn hops(plan: &NetworkPlan, on: &str, to: End) -> String {
    let routes = plan.routes(Node::named(on).unwrap(), to).into_iter();
    let hop = |route: RoutePlan| {
        let next = route.via.map_or("here".to_owned(), |via| {
            plan.owner(via).unwrap().to_string()
        });
        if route.is_backup {
            format!("({next})")
        } else {
            next
        }
    };
    routes.map(hop).collect::<Vec<_>>().join(" ")
}

const THREE: &str = "r1 = 'router', r2 = 'router', r3 = 'router'";

#[test]
fn a_router_with_two_ways_has_the_longer_one_for_later() {
    let links = ["client r1", "r1 r2", "r2 server", "r1 r3", "r3 r2"];
    let plan = graph(THREE, &links, "");
    for (on, to_server, to_client) in [
        ("client", "r1", "here"),
        ("r1", "r2 (r3)", "here"),
        ("r2", "here", "r1 (r3)"),
        ("r3", "r2 (r1)", "r1 (r2)"),
        ("server", "here", "r2"),
    ] {
        assert_eq!(hops(&plan, on, End::Server), to_server, "{on}");
        assert_eq!(hops(&plan, on, End::Client), to_client, "{on}");
    }
}

#[test]
fn nobody_sends_back_where_it_came_from() {
    // In a square, only the corner where both paths begin has a backup route.
    let nodes = "r1 = 'router', r2 = 'router', r3 = 'router', r4 = 'router'";
    let links = ["client r1", "r1 r2", "r1 r3", "r2 r4", "r3 r4", "r4 server"];
    let plan = graph(nodes, &links, "");
    assert_eq!(hops(&plan, "r1", End::Server), "r2 (r3)");
    assert_eq!(hops(&plan, "r2", End::Server), "r4");
    assert_eq!(hops(&plan, "r3", End::Server), "r4");
}

#[test]
fn a_switch_makes_one_network_of_its_links() {
    let nodes = "lan = 'switch', wan = 'switch', r1 = 'router', other = 'host'";
    let links = ["client lan", "other lan", "lan r1", "r1 wan", "wan server"];
    let plan = graph(nodes, &links, "");
    let address = |node: &str| {
        let plan = plan.node(Node::named(node).unwrap()).unwrap();
        let addresses = plan.interfaces.iter().filter_map(|own| own.address);
        addresses.map(|own| own.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(address("client"), ["192.0.2.1/24"]);
    assert_eq!(address("other"), ["192.0.2.2/24"]);
    assert_eq!(address("r1"), ["192.0.2.254/24", "198.51.100.254/24"]);
    assert!(address("lan").is_empty());
    assert_eq!(hops(&plan, "other", End::Server), "r1");
}

#[test]
fn the_largest_networks_have_room_for_everybody() {
    let routers: Vec<String> = (1..=14).map(|n| format!("r{n}")).collect();
    let nodes: Vec<String> = routers.iter().map(|r| format!("{r} = 'router'")).collect();
    let mut chain = vec!["client r1".to_owned(), "r14 server".to_owned()];
    chain.extend(
        routers
            .windows(2)
            .map(|pair| format!("{} {}", pair[0], pair[1])),
    );
    // The maximum number of links, each with its own network.
    let across = routers
        .windows(3)
        .map(|three| format!("{} {}", three[0], three[2]));
    let further = routers
        .windows(4)
        .map(|four| format!("{} {}", four[0], four[3]));
    chain.extend(across.chain(further).take(32 - 15));
    let links: Vec<&str> = chain.iter().map(String::as_str).collect();
    let plan = graph(&nodes.join(", "), &links, "");
    let interfaces = || plan.nodes.iter().flat_map(|node| &node.interfaces);
    let count = interfaces().count();
    assert_eq!(count, 64);
    let addresses: std::collections::BTreeSet<IpAddr> = interfaces()
        .map(|own| own.address.unwrap().address)
        .collect();
    let indices: std::collections::BTreeSet<u32> = interfaces().map(|own| own.index).collect();
    let macs: std::collections::BTreeSet<u8> = interfaces().map(|own| own.mac[5]).collect();
    assert_eq!([addresses.len(), indices.len(), macs.len()], [count; 3]);
    let networks: std::collections::BTreeSet<String> = interfaces()
        .map(|own| own.address.unwrap().network().to_string())
        .collect();
    assert_eq!(networks.len(), 32);
    assert!(!indices.contains(&SWITCH_BRIDGE));
}

#[test]
fn behind_nat_the_client_is_known_by_the_routers_address() {
    let links = ["client r1", "r1 r2", "r2 r3", "r3 server"];
    let nat = ", firewall = { on = 'r2', nat = true }";
    let plan = graph(THREE, &links, nat);
    assert_eq!(
        plan.owner(plan.seen_address(End::Client)).unwrap().name(),
        "r2"
    );
    assert_eq!(hops(&plan, "r1", End::Client), "here");
    assert_eq!(hops(&plan, "r2", End::Client), "r1");
    assert_eq!(hops(&plan, "r3", End::Client), "");
    assert_eq!(hops(&plan, "server", End::Client), "");
    let outside = plan.outside().unwrap().address.unwrap().network();
    let server = plan.node(Node::SERVER).unwrap();
    let [route] = server.routes.as_slice() else {
        panic!("{:?}", server.routes);
    };
    assert_eq!(route.to, outside);
}

#[test]
fn nobody_has_a_route_twice() {
    let nat = ", firewall = { on = 'r1', nat = true }";
    for links in [
        &["client r1", "r1 server"][..],
        &["client r1", "r1 r2", "r2 server"],
    ] {
        let nodes = "r1 = 'router', r2 = 'router'";
        let nodes = if links.len() == 2 {
            "r1 = 'router'"
        } else {
            nodes
        };
        let plan = graph(nodes, links, nat);
        for node in &plan.nodes {
            let mut to: Vec<String> = node.routes.iter().map(|r| r.to.to_string()).collect();
            let count = to.len();
            to.dedup();
            assert_eq!(to.len(), count, "{}", node.node);
        }
    }
}
