//! A lab with faults: the network on the kernel, and the modelled one beside it. A step at the network
//! acts on the model first.
//!
//! The kernel forgets more than a fault takes away. A link that goes down takes its routes along,
//! an address its routes and wrong neighbour entries. What the model still has, this puts back.

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
    /// In the order of the plans.
    worlds: Vec<Mutex<World>>,
    /// How many new hardware addresses there have been.
    macs: AtomicU8,
    /// Tells of a fault that has ended by itself.
    ended: watch::Sender<()>,
}

/// What a lab has of one family: the same machines and links carry one or both.
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
    /// A lab that has just been built; a World for each of its plans.
    pub(super) fn new(lab: Lab, worlds: impl IntoIterator<Item = World>) -> Self {
        Self {
            lab,
            worlds: worlds.into_iter().map(Mutex::new).collect(),
            macs: AtomicU8::new(0),
            ended: watch::Sender::new(()),
        }
    }

    /// One family, or each that the network carries.
    pub(super) fn views(&self, only: Option<Family>) -> impl Iterator<Item = FamilyView<'_>> {
        let views = self.lab.plans.iter().zip(&self.worlds);
        let views = views.map(|(plan, world)| FamilyView {
            lab: self,
            plan,
            world,
        });
        views.filter(move |view| only.is_none_or(|only| only == view.family()))
    }

    /// A step at the network acts on the modelled network, after what it waits for.
    ///
    /// # Errors
    /// [`Refusal`] where there is nothing to do on the kernel: an earlier step was left out because
    /// its connection had ended, and the network is not what the check of the file expects.
    pub(super) async fn act(&self, step: &Step) -> Result<(), Refusal> {
        let mut ended = self.ended.subscribe();
        while self.must_wait(step) {
            // The channel closes only with this.
            ended.changed().await.ok();
        }
        let mut views = self.views(step.family);
        views.try_for_each(|view| step.action.act(&mut view.world()))
    }

    fn must_wait(&self, step: &Step) -> bool {
        let mut views = self.views(step.family);
        views.any(|view| step.action.must_wait(&view.world()))
    }

    /// A fault has ended by itself.
    pub(super) fn ended(&self, fault: &Fault) {
        for view in self.views(None) {
            view.world().end(|other| other == fault);
        }
        self.ended.send_replace(());
    }

    /// The two sides of a link, the one that is set down first.
    fn link(&self, side: Side) -> [LinkEnd<'_>; 2] {
        match side {
            Side::Link(at, to) => self.lab.sides(at, Some(to)),
            Side::Cable(at) => {
                let [own, across] = self.lab.sides(at.node(), None);
                // A veth pair has no cable. The end that is set down takes the carrier from the
                // other one: behind a switch that is the port of the switch,
                // elsewhere the host's own, so that the machine across loses its carrier.
                match across.node.role {
                    Role::Switch => [across, own],
                    Role::Host | Role::Router => [own, across],
                }
            }
        }
    }

    /// Sets one side of a link down; the machine across loses its carrier.
    pub(super) async fn pull(&self, side: Side) -> Result<(), LabError> {
        for view in self.views(None) {
            view.world().begin(Fault::Link(side));
        }
        let [own, _] = self.link(side);
        own.node.set_up(own.interface.index, false).await
    }

    /// Sets it up again, and puts back what has gone with it.
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

    /// Lets a silent host hear and be heard again; from when on it hears.
    ///
    /// A new hardware address comes once the host can send and while it hears nothing: where it
    /// announces itself to its neighbours (`arp_notify`, `ndisc_notify`), they hear it, and
    /// nothing is answered from the old one.
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

    /// A hardware address that no host has had, out of the documentation range (RFC 7042), beyond
    /// those that the network begins with.
    fn new_mac(&self) -> [u8; 6] {
        let number = 0x80 | (self.macs.fetch_add(1, Ordering::Relaxed) & 0x3f);
        [0x00, 0x00, 0x5e, 0x00, 0x53, number]
    }
}

impl<'l> FamilyView<'l> {
    /// Which one.
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

    /// Whether a link of a node is up and has its address, so that a route can lead over it.
    pub(super) fn is_usable(self, node: Node, link: u32) -> bool {
        let world = self.world();
        let across = self.plan.across(node, link);
        world.has_address(node) && across.is_none_or(|across| !world.is_down(node, across))
    }

    /// Waits until the kernel announces that the interface has its carrier and that its address can
    /// be used, unless a step has taken that away.
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

    /// Makes the route of a node to an end what the model has. Out, then in: the attached network's
    /// route and one of another type differ in metric and scope, so one does not replace the
    /// other. While the node's link is down or its address gone, there is no route to delete or
    /// to add: the route comes when that is over.
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

    /// Those that lead over links that are up and have their addresses.
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

    /// Makes the route of a node to an end what it was before its link went down.
    ///
    /// A pulled cable leaves the routes of a real machine alone. The link that stands for it here
    /// takes the routes through it along when it goes down, and when it comes up the kernel
    /// brings back that of the attached network, whether or not a step had removed it.
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

    /// Makes the route of a host what it was before its address was removed. A route over a router
    /// stays in IPv6 when the address goes, and not in IPv4; the kernel brings back that of the
    /// attached network alone.
    pub(super) async fn restore_route(self, host: End) -> Result<(), LabError> {
        let (on, to) = (host.node(), host.peer());
        let route = self.plan.route(on, to);
        let is_attached = route.is_some_and(|route| route.via.is_none());
        if is_attached && self.world().route(on, to) == RouteChange::Restore {
            return Ok(());
        }
        self.renew_route(on, to).await
    }

    /// Puts a wrong neighbour entry back: it goes with the link (`neigh_ifdown`), the hardware
    /// address (`neigh_changeaddr`) and the last IPv4 address (`fib_disable_ip`) of its node.
    pub(super) async fn settle_neighbour(self, on: Node, to: End) -> Result<(), LabError> {
        let is_wrong = self.world().has(&Fault::WrongNeighbour(on, to));
        match self.plan.next_hop(on, to).filter(|_| is_wrong) {
            Some((link, address)) => self.lab.node(on).mistake_neighbour(link, address).await,
            None => Ok(()),
        }
    }
}
