//! `address` on the kernel.
//!
//! When the last IPv4 address of an interface is removed, the kernel removes every route through
//! the interface (`fib_disable_ip`). When an IPv6 address is removed, it removes the routes of the
//! prefix (`cleanup_prefix_route`). When the address returns, the kernel restores only the route of
//! the attached network.

use crate::lab::error::LabError;
use crate::model::Moment;
use crate::runner::faulted::FamilyView;
use crate::runner::shared::SharedLab;
use crate::step::{Address, AddressChange, Step};

pub(super) async fn take(
    shared: &SharedLab,
    address: &Address,
    step: &Step,
) -> Result<(), LabError> {
    for view in shared.lab.views(step.family) {
        change(view, address).await?;
        let unaddressed = shared.host(address.at).unaddressed(view.family());
        match address.change {
            AddressChange::Remove => unaddressed.begin(),
            AddressChange::Restore => unaddressed.end(Moment::now()),
        }
    }
    Ok(())
}

async fn change(view: FamilyView<'_>, address: &Address) -> Result<(), LabError> {
    let at = address.at;
    let (node, uplink) = (view.lab.node(at.node()), view.uplink(at));
    let subnet = view.plan.address(at);
    match address.change {
        AddressChange::Remove => node.remove_address(uplink.index, subnet).await,
        AddressChange::Restore => {
            node.add_address(uplink.index, subnet).await?;
            if view.is_usable(at.node(), uplink.index) {
                node.wait_until_addressed(uplink).await?;
                view.restore_route(at).await?;
                view.settle_neighbour(at.node(), at.peer()).await?;
            }
            Ok(())
        }
    }
}
