//! Steps of the network to kernel operations.

use super::{add_routes, change_route};
use crate::lab::error::LabError;
use crate::lab::{Lab, Layer, Side};
use crate::model::{End, Node, Role};
use crate::step::{AddressChange, Impairment, NeighbourChange, NetworkStep, RouteChange};

/// Takes a step at something of which each family has its own.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
pub async fn of_family(layer: Layer<'_>, step: &NetworkStep) -> Result<(), LabError> {
    match step {
        NetworkStep::Address { at, change } => address(layer, *at, *change).await,
        NetworkStep::Neighbour { on, to, change } => neighbour(layer, *on, *to, *change).await,
        NetworkStep::Forwarding { on, forwards } => forwarding(layer, *on, *forwards).await,
        // What goes through an interface goes through it whatever its family.
        NetworkStep::Flap { .. } | NetworkStep::Impair { .. } | NetworkStep::Heal { .. } => Ok(()),
    }
}

/// Takes a host's address away, or gives it back with its routes.
///
/// With its last address an IPv4 interface loses every route through it (`fib_disable_ip`), with any address an IPv6 one those of its
/// prefix (`cleanup_prefix_route`). The kernel brings back that of the attached network alone.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
async fn address(layer: Layer<'_>, at: End, change: AddressChange) -> Result<(), LabError> {
    let (lab, family) = (layer.lab, layer.family());
    let (node, uplink) = (lab.node(at.node()), layer.uplink(at));
    let subnet = layer.plan.address(at);
    match change {
        AddressChange::Remove => {
            lab.changes().set_addressed(family, at, false);
            node.remove_address(uplink.index, subnet).await
        }
        AddressChange::Restore => {
            node.add_address(uplink.index, subnet).await?;
            lab.changes().set_addressed(family, at, true);
            if layer.is_usable(at.node(), uplink.index) {
                node.wait_until_addressed(uplink).await?;
                renew_route(layer, at).await?;
                settle_neighbours(layer, at.node(), at.peer()).await?;
            }
            Ok(())
        }
    }
}

/// A host's route over a router stays in IPv6 when the address goes, and not in IPv4: out, then in.
async fn renew_route(layer: Layer<'_>, host: End) -> Result<(), LabError> {
    let (on, to) = (host.node(), host.peer());
    let change = layer.lab.changes().route((layer.family(), on, to));
    let route = layer.plan.route(on, to);
    let attached = route.is_some_and(|route| route.via.is_none());
    if change == RouteChange::Restore && attached {
        return Ok(());
    }
    change_route(layer, on, to, change).await
}

/// Changes a node's entry for the next node on the way to an end.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
async fn neighbour(
    layer: Layer<'_>,
    on: Node,
    to: End,
    change: NeighbourChange,
) -> Result<(), LabError> {
    let Some((link, address)) = layer.plan.next_hop(on, to) else {
        return Ok(());
    };
    let node = layer.lab.node(on);
    let entry = (layer.family(), on, to);
    layer
        .lab
        .changes()
        .set_mistaken(entry, change == NeighbourChange::Wrong);
    match change {
        NeighbourChange::Wrong => node.mistake_neighbour(link, address).await,
        NeighbourChange::Remove | NeighbourChange::Restore => {
            node.forget_neighbour(link, address).await
        }
    }
}

/// Puts a wrong entry back: it goes with the link (`neigh_ifdown`), its hardware address (`neigh_changeaddr`) and its last IPv4 address
/// (`fib_disable_ip`).
pub(super) async fn settle_neighbours(layer: Layer<'_>, on: Node, to: End) -> Result<(), LabError> {
    let is_mistaken = layer.lab.changes().is_mistaken((layer.family(), on, to));
    if is_mistaken {
        neighbour(layer, on, to, NeighbourChange::Wrong).await?;
    }
    Ok(())
}

/// Makes a node's route to an end what it was before its link went down or its address was taken away, or what a step has made of it since.
///
/// A pulled cable leaves the routes of a real machine alone. The link that stands for it here takes the routes through it along when
/// it goes down, and when it comes up the kernel brings back that of the attached network, whether or not a step had removed it.
pub(super) async fn settle_route(layer: Layer<'_>, own: Side<'_>, to: End) -> Result<(), LabError> {
    let on = own.node.node;
    if own.node.role == Role::Switch || on == to.node() {
        return Ok(());
    }
    let change = layer.lab.changes().route((layer.family(), on, to));
    if change != RouteChange::Restore {
        return change_route(layer, on, to, change).await;
    }
    let routes = layer.plan.routes(on, to).into_iter();
    let lost = routes.filter(|route| route.via.is_some() && route.interface == own.interface.index);
    add_routes(layer, on, lost).await
}

/// Lets a router forward, or not.
///
/// # Errors
/// [`LabError`] where the kernel refuses.
async fn forwarding(layer: Layer<'_>, on: Node, forwards: bool) -> Result<(), LabError> {
    let node = layer.lab.node(on);
    node.set_forwarding(layer.family(), forwards).await
}

/// Impairs what a host sends; `None`: no more. What is under way in an impaired path is lost when that ends.
///
/// # Errors
/// [`LabError`] where the kernel refuses, or has no netem.
pub async fn impair(lab: &Lab, at: End, impairment: Option<&Impairment>) -> Result<(), LabError> {
    let (node, link) = (lab.node(at.node()), lab.uplink(at).index);
    match impairment {
        Some(impairment) => node.impair(link, impairment).await,
        None => node.reset_queue(link).await,
    }
}

/// Gives a host a hardware address that it never had.
pub(super) async fn new_mac(lab: &Lab, host: End) -> Result<(), LabError> {
    let mac = lab.changes().new_mac();
    let (node, link) = (lab.node(host.node()), lab.uplink(host).index);
    node.set_mac(link, mac).await?;
    for layer in lab.layers(None) {
        settle_neighbours(layer, host.node(), host.peer()).await?;
    }
    Ok(())
}
