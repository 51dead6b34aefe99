//! The carrier of every link in one namespace, as the kernel announces it.
//!
//! A frame sent before the carrier is up is lost (the queue is still `noop`), and so would be a SYN, at the price of a second. The
//! kernel's own announcement (rtnetlink multicast) says when the link is usable; nothing is polled.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, State};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::sys::SocketAddr;
use tokio::sync::watch;

/// Link index to whether the link is usable.
pub(super) type Carriers = BTreeMap<u32, bool>;

type Messages = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// Follows the announcements until the socket is closed.
pub(super) async fn follow(mut messages: Messages, carriers: watch::Sender<Carriers>) {
    while let Some((message, _)) = messages.next().await {
        if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = message.payload {
            carriers.send_modify(|known| {
                known.insert(link.header.index, is_usable(&link));
            });
        }
    }
}

/// Up, with carrier, and past the deferred activation of its queue (`linkwatch_do_dev`), which is what makes `operstate` up.
fn is_usable(link: &LinkMessage) -> bool {
    let flags_up = link
        .header
        .flags
        .contains(LinkFlags::Up | LinkFlags::LowerUp);
    let operational = link
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, LinkAttribute::OperState(State::Up)));
    flags_up && operational
}
