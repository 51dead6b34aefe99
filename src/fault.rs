//! A step's change to the network: which kernel operations it is.

pub mod network;

use netlink_packet_route::route::RouteType;

use self::network::{settle_neighbours, settle_route};
use crate::lab::error::LabError;
use crate::lab::{Lab, Layer, Side};
use crate::model::{End, Family, Moment, Node, Role};
use crate::plan::RoutePlan;
use crate::step::{CableChange, HardwareAddress, Middlebox, RouteChange};

/// Pulls or plugs the cable of one host.
///
/// A veth pair has no cable to pull: setting one end down takes the carrier from the other. Behind a switch it is the switch's port
/// that is set down; elsewhere it is the host's own end, so that whatever is on the other side of the cable sees its carrier go.
///
/// # Errors
/// [`LabError`] where the kernel refuses, or the carrier does not come back.
pub async fn cable(lab: &Lab, at: End, change: CableChange) -> Result<(), LabError> {
    let [own, across] = lab.sides(at.node(), None);
    match across.node.role {
        Role::Switch => set_link(lab, [across, own], change).await,
        Role::Host | Role::Router => set_link(lab, [own, across], change).await,
    }
}

/// Sets a machine's own end of a link down or up; the other end loses its carrier with it.
///
/// # Errors
/// [`LabError`] where the kernel refuses, or the carrier does not come back.
pub async fn link(lab: &Lab, at: Node, to: Node, change: CableChange) -> Result<(), LabError> {
    set_link(lab, lab.sides(at, Some(to)), change).await
}

async fn set_link(
    lab: &Lab,
    [own, across]: [Side<'_>; 2],
    change: CableChange,
) -> Result<(), LabError> {
    let (node, link) = (own.node.node, own.interface.index);
    match change {
        CableChange::Pull => {
            own.node.set_up(link, false).await?;
            lab.changes().set_up(node, link, false);
        }
        CableChange::Plug => {
            own.node.set_up(link, true).await?;
            for layer in lab.layers(None) {
                layer.wait_until_usable(own).await?;
                layer.wait_until_usable(across).await?;
            }
            lab.changes().set_up(node, link, true);
            for layer in lab.layers(None) {
                for to in [End::Client, End::Server] {
                    settle_route(layer, own, to).await?;
                    settle_neighbours(layer, node, to).await?;
                }
            }
        }
    }
    Ok(())
}

/// Silences a host in both directions, with its carrier up and its state kept.
///
/// # Errors
/// [`LabError`] where the kernel refuses, or has no such packet filter.
pub async fn silence(lab: &Lab, host: End) -> Result<(), LabError> {
    let (node, link) = (lab.node(host.node()), lab.uplink(host));
    node.silence(&link.name).await
}

/// Undoes [`silence`]; from when on the host hears again.
///
/// A new hardware address comes once the host can send and while it hears nothing: where it tells its neighbours by itself (`arp_notify`,
/// `ndisc_notify`), they hear it, and nothing is answered from the old one.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
pub async fn unsilence(lab: &Lab, host: End, mac: HardwareAddress) -> Result<Moment, LabError> {
    let node = lab.node(host.node());
    if mac == HardwareAddress::Kept {
        let heard = Moment::now();
        node.unsilence().await?;
        return Ok(heard);
    }
    node.unmute().await?;
    network::new_mac(lab, host).await?;
    let heard = Moment::now();
    node.undeafen().await?;
    Ok(heard)
}

/// Changes the route by which a node reaches one end's network. While the node's link is down or its address gone, there is no route to
/// delete or to restore: the change then takes effect when that is over.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
pub async fn route(
    layer: Layer<'_>,
    on: Node,
    to: End,
    change: RouteChange,
) -> Result<(), LabError> {
    layer
        .lab
        .changes()
        .set_route((layer.family(), on, to), change);
    change_route(layer, on, to, change).await
}

/// Out, then in: the attached network's route and a dead one differ in metric and scope, so one does not replace the other.
async fn change_route(
    layer: Layer<'_>,
    on: Node,
    to: End,
    change: RouteChange,
) -> Result<(), LabError> {
    let (node, plan) = (layer.lab.node(on), layer.plan);
    let network = plan.address(to).network();
    node.delete_routes(network).await?;
    match change {
        RouteChange::Delete => Ok(()),
        RouteChange::Unreachable => node.add_dead_route(network, RouteType::Unreachable).await,
        RouteChange::Prohibit => node.add_dead_route(network, RouteType::Prohibit).await,
        RouteChange::Blackhole => node.add_dead_route(network, RouteType::BlackHole).await,
        RouteChange::Via(next) => {
            let route = plan.route_via(on, to, next);
            add_routes(layer, on, route).await
        }
        RouteChange::Restore => add_routes(layer, on, plan.routes(on, to)).await,
    }
}

/// Those that lead over links that are up and have their addresses.
async fn add_routes(
    layer: Layer<'_>,
    on: Node,
    routes: impl IntoIterator<Item = RoutePlan>,
) -> Result<(), LabError> {
    for route in routes {
        if layer.is_usable(on, route.interface) {
            layer.lab.node(on).add_route(route).await?;
        }
    }
    Ok(())
}

/// Lets a box between the hosts do something to their packets, of one family or of all that the network carries.
///
/// # Errors
/// [`LabError`] where the kernel refuses, or has no packet filter.
pub async fn middlebox(lab: &Lab, step: &Middlebox, only: Option<Family>) -> Result<(), LabError> {
    let node = lab.node(step.node());
    match step {
        Middlebox::Flush { .. } => node.forget_flows().await,
        Middlebox::Remember { established, .. } => node.remember_flows(*established).await,
        Middlebox::Mtu {
            on,
            to,
            bytes,
            icmp,
        } => {
            if !icmp {
                node.silence_too_big().await?;
            }
            // The routes of all families lead over the same link.
            let route = lab
                .layers(None)
                .find_map(|layer| layer.plan.route(*on, *to));
            match route {
                Some(route) => node.set_mtu(route.interface, u32::from(*bytes)).await,
                None => Ok(()),
            }
        }
        Middlebox::Filter { .. }
        | Middlebox::Unfilter { .. }
        | Middlebox::Lose { .. }
        | Middlebox::StopLosing { .. } => {
            for layer in lab.layers(only) {
                catch(layer, step).await?;
            }
            Ok(())
        }
    }
}

/// What is caught is of one family: the rules know its headers.
async fn catch(layer: Layer<'_>, step: &Middlebox) -> Result<(), LabError> {
    let (node, family) = (layer.lab.node(step.node()), layer.family());
    match step {
        Middlebox::Filter { filter, .. } => node.add_filter(*filter, family).await,
        Middlebox::Unfilter { .. } => node.remove_filter(family).await,
        Middlebox::Lose { on, loss } => {
            let interfaces = layer
                .plan
                .node(*on)
                .map_or(&[][..], |plan| &plan.interfaces);
            let names = interfaces
                .iter()
                .map(|interface| interface.name.clone())
                .collect();
            node.add_loss(loss, family, names).await
        }
        Middlebox::StopLosing { to, .. } => node.remove_loss(*to, family).await,
        Middlebox::Flush { .. } | Middlebox::Remember { .. } | Middlebox::Mtu { .. } => Ok(()),
    }
}
