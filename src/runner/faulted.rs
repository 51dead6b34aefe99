//! A lab with faults: the network on the kernel, and the modelled network ([`World`]). A network
//! step acts on the model first.
//!
//! The kernel removes more than a fault takes away. A link that goes down also loses its routes; a
//! removed address also takes its routes and wrong neighbour entries. This module restores whatever
//! the model still contains.

use std::ops::Deref;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netlink_packet_route::route::RouteType;
use tokio::sync::watch;

use crate::lab::error::LabError;
use crate::lab::{Lab, LinkEnd};
use crate::model::{End, Family, Moment, Node, Role, RouteChange, Side};
use crate::plan::{InterfacePlan, NetworkPlan, RoutePlan};
use crate::step::{HardwareAddress, Step};
use crate::world::{Fault, Refusal, World};

/// A lab and what its steps have changed.
#[derive(Debug)]
pub(super) struct FaultedLab {
    lab: Lab,
    /// One model for each plan, in the order of the plans.
    worlds: Vec<Mutex<World>>,
    /// The number of new hardware addresses handed out so far.
    macs: AtomicU8,
    /// Notifies of a fault that has ended by itself.
    ended: watch::Sender<()>,
}

/// One address family of a lab. The same machines and links carry one family or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct FamilyView<'l> {
    pub(super) lab: &'l FaultedLab,
    /// The addresses and routes of this family.
    pub(super) plan: &'l NetworkPlan,
    world: &'l Mutex<World>,
}

impl Deref for FaultedLab {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl FaultedLab {
    /// Combines a newly built lab with a [`World`] for each of its plans.
    pub(super) fn new(lab: Lab, worlds: impl IntoIterator<Item = World>) -> Self {
        Self {
            lab,
            worlds: worlds.into_iter().map(Mutex::new).collect(),
            macs: AtomicU8::new(0),
            ended: watch::Sender::new(()),
        }
    }

    /// The view of one family, or of each family that the network carries.
    pub(super) fn views(&self, only: Option<Family>) -> impl Iterator<Item = FamilyView<'_>> {
        let views = self.lab.plans.iter().zip(&self.worlds);
        let views = views.map(|(plan, world)| FamilyView {
            lab: self,
            plan,
            world,
        });
        views.filter(move |view| only.is_none_or(|only| only == view.family()))
    }

    /// Applies a network step to the model, once the faults that the step must wait for have ended.
    ///
    /// # Errors
    /// [`Refusal`] if there is nothing to do on the kernel. This occurs if an earlier step was
    /// skipped because its connection had ended, so that the network differs from the one that the
    /// check of the file assumed.
    pub(super) async fn act(&self, step: &Step) -> Result<(), Refusal> {
        let mut ended = self.ended.subscribe();
        while self.must_wait(step) {
            // The channel closes only when `self` is dropped.
            ended.changed().await.ok();
        }
        let mut views = self.views(step.family);
        views.try_for_each(|view| step.action.act(&mut view.world()))
    }

    fn must_wait(&self, step: &Step) -> bool {
        let mut views = self.views(step.family);
        views.any(|view| step.action.must_wait(&view.world()))
    }

    /// Removes a fault that has ended by itself from the model, and wakes the steps that wait for
    /// it.
    pub(super) fn ended(&self, fault: &Fault) {
        for view in self.views(None) {
            view.world().end(|other| other == fault);
        }
        self.ended.send_replace(());
    }

    /// The two ends of a link. The first one is the end that is set down.
    fn link(&self, side: Side) -> [LinkEnd<'_>; 2] {
        match side {
            Side::Link(at, to) => self.lab.sides(at, Some(to)),
            Side::Cable(at) => {
                let [own, across] = self.lab.sides(at.node(), None);
                // A veth pair has no cable. An end that is set down removes the carrier of the
                // other end. At a switch, the port of the switch is set down, so that the host
                // loses its carrier. Elsewhere, the interface of the host is set down, so that the
                // machine across loses its carrier.
                match across.node.role {
                    Role::Switch => [across, own],
                    Role::Host | Role::Router => [own, across],
                }
            }
        }
    }

    /// Sets one end of a link down. The other end loses its carrier.
    pub(super) async fn pull(&self, side: Side) -> Result<(), LabError> {
        for view in self.views(None) {
            view.world().begin(Fault::Link(side));
        }
        let [own, _] = self.link(side);
        own.node.set_up(own.interface.index, false).await
    }

    /// Sets that end of the link up again, and restores the routes and neighbour entries that the
    /// kernel removed with the link.
    pub(super) async fn plug(&self, side: Side) -> Result<(), LabError> {
        let [own, across] = self.link(side);
        own.node.set_up(own.interface.index, true).await?;
        for view in self.views(None) {
            view.wait_until_usable(own).await?;
            view.wait_until_usable(across).await?;
            view.world().end(|fault| *fault == Fault::Link(side));
        }
        for view in self.views(None) {
            for to in [End::Client, End::Server] {
                view.settle_route(own, to).await?;
                view.settle_neighbour(own.node.node, to).await?;
            }
        }
        Ok(())
    }

    /// Lets a silenced host send and receive again. Returns the moment from which it receives.
    ///
    /// A new hardware address is set when the host can already send but does not yet receive. If
    /// the host announces its address (`arp_notify`, `ndisc_notify`), its neighbours receive the
    /// announcement, and the host answers nothing from its old hardware address.
    pub(super) async fn unsilence(
        &self,
        host: End,
        mac: HardwareAddress,
    ) -> Result<Moment, LabError> {
        let node = self.lab.node(host.node());
        if mac == HardwareAddress::Kept {
            let heard = Moment::now();
            node.unsilence().await?;
            return Ok(heard);
        }
        node.unmute().await?;
        node.set_mac(self.lab.uplink(host).index, self.new_mac())
            .await?;
        for view in self.views(None) {
            view.settle_neighbour(host.node(), host.peer()).await?;
        }
        let heard = Moment::now();
        node.undeafen().await?;
        Ok(heard)
    }

    /// A hardware address of the documentation range (RFC 7042) that differs from the initial
    /// addresses of the network and from the previous 63 results.
    fn new_mac(&self) -> [u8; 6] {
        let number = 0x80 | (self.macs.fetch_add(1, Ordering::Relaxed) & 0x3f);
        [0x00, 0x00, 0x5e, 0x00, 0x53, number]
    }
}

impl<'l> FamilyView<'l> {
    /// The family of this view.
    pub(super) fn family(self) -> Family {
        self.plan.family
    }

    fn world(self) -> MutexGuard<'l, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The interface of a host, with its address of this family.
    pub(super) fn uplink(self, end: End) -> &'l InterfacePlan {
        let own = self.lab.uplink(end);
        let of_family = self.plan.node(end.node()).into_iter();
        let mut of_family = of_family.flat_map(|plan| &plan.interfaces);
        of_family
            .find(|interface| interface.index == own.index)
            .unwrap_or(own)
    }

    /// Whether a link of a node is up and the node has its address, so that a route can use the
    /// link.
    pub(super) fn is_usable(self, node: Node, link: u32) -> bool {
        let world = self.world();
        let across = self.plan.across(node, link);
        world.has_address(node) && across.is_none_or(|across| !world.is_down(node, across))
    }

    /// Waits until the kernel announces that the interface has its carrier and that its address is
    /// usable. If a step has removed the address, it waits for the carrier only.
    async fn wait_until_usable(self, side: LinkEnd<'_>) -> Result<(), LabError> {
        let node = side.node.node;
        let own = self.plan.node(node).into_iter();
        let mut own = own.flat_map(|plan| &plan.interfaces);
        let same = own.find(|own| own.index == side.interface.index);
        let mut interface = same.unwrap_or(side.interface).clone();
        if !self.world().has_address(node) {
            interface.address = None;
        }
        side.node.wait_until_usable(&interface).await
    }

    /// Sets the route of a node to an end as in the model. It deletes the old route before it adds
    /// the new one: the route of the attached network and a route of another type differ in metric
    /// and scope, so one does not replace the other. While the node's link is down or its address
    /// is removed, no route exists and none is added; the route is added when the link or the
    /// address is restored.
    pub(super) async fn renew_route(self, on: Node, to: End) -> Result<(), LabError> {
        let (node, plan) = (self.lab.node(on), self.plan);
        let network = plan.address(to).network();
        let change = self.world().route(on, to);
        node.delete_routes(network).await?;
        match change {
            RouteChange::Delete => Ok(()),
            RouteChange::Unreachable => node.add_dead_route(network, RouteType::Unreachable).await,
            RouteChange::Prohibit => node.add_dead_route(network, RouteType::Prohibit).await,
            RouteChange::Blackhole => node.add_dead_route(network, RouteType::BlackHole).await,
            RouteChange::Via(next) => self.add_routes(on, plan.route_via(on, to, next)).await,
            RouteChange::Restore => self.add_routes(on, plan.routes(on, to)).await,
        }
    }

    /// Adds the routes whose links are up and have their addresses.
    async fn add_routes(
        self,
        on: Node,
        routes: impl IntoIterator<Item = RoutePlan>,
    ) -> Result<(), LabError> {
        for route in routes {
            if self.is_usable(on, route.interface) {
                self.lab.node(on).add_route(route).await?;
            }
        }
        Ok(())
    }

    /// Restores the route of a node to an end to its state before the link went down.
    ///
    /// On a real machine, a pulled cable does not change the routes. Here, setting the link down
    /// removes the routes through it. When the link comes up, the kernel restores only the route of
    /// the attached network, even if a step had removed that route.
    async fn settle_route(self, own: LinkEnd<'_>, to: End) -> Result<(), LabError> {
        let on = own.node.node;
        if own.node.role == Role::Switch || on == to.node() {
            return Ok(());
        }
        let change = self.world().route(on, to);
        if change != RouteChange::Restore {
            return self.renew_route(on, to).await;
        }
        let routes = self.plan.routes(on, to).into_iter();
        let lost =
            routes.filter(|route| route.via.is_some() && route.interface == own.interface.index);
        self.add_routes(on, lost).await
    }

    /// Restores the route of a host to its state before the address was removed. When the address
    /// is removed, a route through a router remains in IPv6 but not in IPv4. When the address
    /// returns, the kernel restores only the route of the attached network.
    pub(super) async fn restore_route(self, host: End) -> Result<(), LabError> {
        let (on, to) = (host.node(), host.peer());
        let route = self.plan.route(on, to);
        let is_attached = route.is_some_and(|route| route.via.is_none());
        if is_attached && self.world().route(on, to) == RouteChange::Restore {
            return Ok(());
        }
        self.renew_route(on, to).await
    }

    /// Restores a wrong neighbour entry. The kernel removes the entry when the link of its node
    /// goes down (`neigh_ifdown`), when the hardware address changes (`neigh_changeaddr`), and when
    /// the last IPv4 address is removed (`fib_disable_ip`).
    pub(super) async fn settle_neighbour(self, on: Node, to: End) -> Result<(), LabError> {
        let is_wrong = self.world().has(&Fault::WrongNeighbour(on, to));
        match self.plan.next_hop(on, to).filter(|_| is_wrong) {
            Some((link, address)) => self.lab.node(on).mistake_neighbour(link, address).await,
            None => Ok(()),
        }
    }
}
