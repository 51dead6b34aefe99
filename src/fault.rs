//! A step's change to the network: which kernel operations it is.

pub mod network;

use netlink_packet_route::route::RouteType;

use self::network::{settle_neighbours, settle_route};
use crate::lab::Lab;
use crate::lab::error::LabError;
use crate::plan::InterfacePlan;
use crate::scenario::model::{CableChange, End, HardwareAddress, Middlebox, Node, RouteChange};

/// The name of the bridge that silences a host; it is never up.
pub const SILENCE: &str = "silence";
/// Its link index.
const SILENCE_INDEX: u32 = 20;

/// Pulls or plugs the cable of one host.
///
/// A veth pair has no cable to pull: setting one end down takes the carrier from the other. Behind a switch it is the switch's port
/// that is set down; elsewhere it is the host's own end, so that whatever is on the other side of the cable sees its carrier go.
///
/// # Errors
/// [`LabError`] where the kernel refuses, or the carrier does not come back.
pub async fn cable(lab: &Lab, at: End, change: CableChange) -> Result<(), LabError> {
    let host = lab.node(at.node());
    let uplink = &uplink_now(lab, at);
    let (neighbour, port) = lab.neighbour(at);
    let (node, interface, other, other_interface) = match neighbour.node {
        Node::Switch => (neighbour, port, host, uplink),
        _ => (host, uplink, neighbour, port),
    };
    let is_own_link = node.node == at.node();
    match change {
        CableChange::Pull => {
            node.set_up(interface.index, false).await?;
            if is_own_link {
                lab.changes().set_plugged(at, false);
            }
        }
        CableChange::Plug => {
            node.set_up(interface.index, true).await?;
            node.wait_until_usable(interface).await?;
            other.wait_until_usable(other_interface).await?;
            if is_own_link {
                lab.changes().set_plugged(at, true);
                settle_route(lab, at).await?;
                settle_neighbours(lab, at).await?;
            }
        }
    }
    Ok(())
}

/// A host's interface as it is: without the address that a step has taken away, which nobody can wait for.
fn uplink_now(lab: &Lab, host: End) -> InterfacePlan {
    let mut uplink = lab.uplink(host).clone();
    if !lab.changes().is_addressed(host) {
        uplink.address = None;
    }
    uplink
}

/// Silences a host in both directions, with its carrier up and its state kept.
///
/// What it sends is dropped by a queue of length zero. What it would receive is taken by a bridge that is down: its port's state
/// is `BR_STATE_DISABLED`, in which `br_handle_frame` drops every frame. Both are in every kernel that the harness runs on, where
/// packet classifiers and actions often are not.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
pub async fn silence(lab: &Lab, host: End) -> Result<(), LabError> {
    let (node, link) = (lab.node(host.node()), lab.uplink(host).index);
    node.mute(link).await?;
    match node.add_bridge(SILENCE, SILENCE_INDEX).await {
        // From an earlier silence.
        Err(error) if error.errno() == Some(nix::libc::EEXIST) => {}
        added => added?,
    }
    node.set_bridge(link, Some(SILENCE_INDEX)).await
}

/// Undoes [`silence`]. The bridge stays: to delete it takes an RCU barrier (`netdev_run_todo`), half a second on a busy machine, in which
/// the host would go on to be silent.
///
/// A new hardware address comes once the host can send and while it hears nothing: where it tells its neighbours by itself (`arp_notify`,
/// `ndisc_notify`), they hear it, and nothing is answered from the old one.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
pub async fn unsilence(lab: &Lab, host: End, mac: HardwareAddress) -> Result<(), LabError> {
    let (node, link) = (lab.node(host.node()), lab.uplink(host).index);
    node.reset_queue(link).await?;
    if mac == HardwareAddress::New {
        network::new_mac(lab, host).await?;
    }
    node.set_bridge(link, None).await
}

/// Changes the route by which a node reaches one end's network. While the node's link is down or its address gone, there is no route to
/// delete or to restore: the change then takes effect when that is over.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
pub async fn route(lab: &Lab, on: Node, to: End, change: RouteChange) -> Result<(), LabError> {
    lab.changes().set_route(on, to, change);
    change_route(lab, on, to, change).await
}

/// Out, then in: the attached network's route and a dead one differ in metric and scope, so one does not replace the other.
async fn change_route(lab: &Lab, on: Node, to: End, change: RouteChange) -> Result<(), LabError> {
    let node = lab.node(on);
    let network = lab.plan.address(to).network();
    node.delete_routes(network).await?;
    match change {
        RouteChange::Delete => Ok(()),
        RouteChange::Unreachable => node.add_dead_route(network, RouteType::Unreachable).await,
        RouteChange::Prohibit => node.add_dead_route(network, RouteType::Prohibit).await,
        RouteChange::Blackhole => node.add_dead_route(network, RouteType::BlackHole).await,
        RouteChange::Restore => match lab.plan.route(on, to) {
            Some(route) if lab.changes().is_attached(on) => node.add_route(route).await,
            _ => Ok(()),
        },
    }
}

/// Lets a box between the hosts do something to their packets.
///
/// # Errors
/// [`LabError`] where the kernel refuses, or has no packet filter.
pub async fn middlebox(lab: &Lab, step: &Middlebox) -> Result<(), LabError> {
    let node = lab.node(step.node());
    let family = lab.plan.family;
    match step {
        Middlebox::Filter { filter, .. } => node.add_filter(*filter, family).await,
        Middlebox::Unfilter { .. } => node.remove_filter().await,
        Middlebox::Lose { on, loss } => {
            let interfaces = lab.plan.node(*on).map_or(&[][..], |plan| &plan.interfaces);
            let names = interfaces
                .iter()
                .map(|interface| interface.name.clone())
                .collect();
            node.add_loss(loss, family, names).await
        }
        Middlebox::StopLosing { to, .. } => node.remove_loss(*to).await,
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
            match lab.plan.route(*on, *to) {
                Some(route) => node.set_mtu(route.interface, u32::from(*bytes)).await,
                None => Ok(()),
            }
        }
    }
}
