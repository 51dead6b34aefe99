//! Dropped packets and the reasons, from the kernel's drop monitor (`net/core/drop_monitor.c`), a
//! family of generic netlink.
//!
//! The drop monitor ignores namespaces: it reports every packet that is dropped on the machine, and
//! only to the initial namespace. It is therefore used only on a kernel that runs a single case and
//! nothing else. The kernel queues the alerts in the socket. The recorders of the hosts read them
//! after each event at their host and in regular intervals.

mod message;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::packet_core::{ErrorBuffer, ErrorMessage, NLMSG_ERROR, NetlinkBuffer, Parseable};
use rtnetlink::sys::protocols::NETLINK_GENERIC;
use rtnetlink::sys::{Socket, SocketAddr};

use super::error::LabError;
use crate::clock::Translation;
use crate::evidence::{BoundedLog, Excerpt, PacketDrop};
use crate::model::{Family, Node};
use crate::plan::NetworkPlan;
use crate::wire::{Direction, Frame, Packet};
use message::Alert;

/// The size of the receive buffer in bytes: room for the alerts of a case. One alert takes about a
/// kilobyte, including the kernel's own structures.
const ROOM: usize = 8 << 20;
/// The number of drops kept from the beginning, and the same number from the end.
const KEPT: usize = 1000;

/// Receives the kernel's reports of dropped packets.
#[derive(Debug)]
pub(crate) struct DropMonitor {
    socket: Socket,
    family: u16,
    received: Mutex<Received>,
}

/// The drops received so far.
#[derive(Debug, Default)]
struct Received {
    drops: BTreeMap<Family, BoundedLog<Dropped>>,
    /// The number of times that alerts were lost or could not be decoded.
    missed: u64,
}

impl DropMonitor {
    /// Starts the drop monitor. Returns `None` if the kernel has none.
    ///
    /// # Errors
    /// [`LabError::Netlink`] if the kernel refuses a request.
    pub(crate) fn start() -> Result<Option<Self>, LabError> {
        let failed = |doing: &str| {
            let doing = doing.to_owned();
            move |source| LabError::Netlink {
                doing,
                node: "the initial namespace".to_owned(),
                source,
            }
        };
        let socket = open().map_err(failed("open a generic netlink socket"))?;
        let family = match exchange(&socket, &message::find_family()) {
            Ok(answers) => answers.iter().find_map(|answer| message::family(answer)),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOENT) => None,
            Err(error) => return Err(failed("find the drop monitor")(error)),
        };
        let Some(family) = family else {
            return Ok(None);
        };
        exchange(&socket, &message::configure(family))
            .map_err(failed("set up the drop monitor"))?;
        socket
            .add_membership(message::ALERTS)
            .map_err(failed("subscribe to the drop monitor"))?;
        exchange(&socket, &message::start(family)).map_err(failed("start the drop monitor"))?;
        Ok(Some(Self {
            socket,
            family,
            received: Mutex::default(),
        }))
    }

    /// Reads the alerts that are queued in the socket, so that there is room for more. Lost alerts
    /// and alerts that cannot be decoded count as cut. They affect only the evidence.
    pub(crate) fn drain(&self) {
        let translation = Translation::sample();
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let Received { drops, missed } = &mut *received;
        loop {
            let datagram = match self.socket.recv_from_full() {
                Ok((datagram, _)) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The socket's buffer was full, and alerts were lost. The next call returns those
                // that were not.
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => {
                    *missed += 1;
                    continue;
                }
                Err(_) => {
                    *missed += 1;
                    return;
                }
            };
            match message::alert(&datagram, self.family) {
                Ok(Some(alert)) => {
                    if let Some(dropped) = Dropped::of_case(alert, translation) {
                        let kept = drops.entry(dropped.frame.family());
                        kept.or_insert_with(|| BoundedLog::new(KEPT)).push(dropped);
                    }
                }
                Ok(None) => {}
                Err(_) => *missed += 1,
            }
        }
    }

    /// Returns the packets of the case, in the plan's address family, that were dropped so far.
    #[must_use]
    pub(crate) fn so_far(&self, plan: &NetworkPlan) -> Excerpt<PacketDrop> {
        self.drain();
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = received.drops.get(&plan.family).cloned();
        let kept = kept.map_or_else(Excerpt::default, BoundedLog::finish);
        let cut_before = kept.items[..kept.cut_before].iter();
        let cut_before = cut_before.filter_map(|dropped| dropped.at(plan)).count();
        Excerpt {
            items: (kept.items.iter())
                .filter_map(|dropped| dropped.at(plan))
                .collect(),
            cut: kept.cut + received.missed,
            cut_before,
        }
    }
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.set_non_blocking(true)?;
    setsockopt(&socket, sockopt::RcvBufForce, &ROOM)?;
    Ok(socket)
}

/// Sends a request and returns the kernel's answers, which are queued when the send returns
/// (`genl_rcv`).
fn exchange(socket: &Socket, request: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    socket.send_to(request, &SocketAddr::new(0, 0), 0)?;
    let mut answers = received(socket)?;
    let mut refused = None;
    answers.retain(|answer| {
        let error = error(answer);
        let is_error = error.is_some();
        refused = refused.take().or(error.flatten());
        !is_error
    });
    refused.map_or(Ok(answers), Err)
}

/// Decodes an acknowledgement. Returns `Some(None)` if the request succeeded, `Some` with the error
/// if it was refused, and `None` for any other message.
fn error(answer: &[u8]) -> Option<Option<io::Error>> {
    let message = NetlinkBuffer::new_checked(answer).ok()?;
    if message.message_type() != NLMSG_ERROR {
        return None;
    }
    let payload = message.payload();
    let buffer = ErrorBuffer::new_checked(&payload).ok()?;
    let error = ErrorMessage::parse(&buffer).ok()?;
    Some(error.code.map(|_| error.to_io()))
}

fn received(socket: &Socket) -> io::Result<Vec<Vec<u8>>> {
    let mut datagrams = Vec::new();
    loop {
        match socket.recv_from_full() {
            Ok((datagram, _)) => datagrams.push(datagram),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(datagrams),
            Err(error) => return Err(error),
        }
    }
}

/// A packet that was dropped on some node.
#[derive(Debug, Clone)]
struct Dropped {
    /// The index of the interface at which the packet arrived; zero if it arrived at none.
    link: u32,
    reason: String,
    function: String,
    frame: Frame,
}

impl Dropped {
    /// Returns `None` if the packet does not belong to a case.
    fn of_case(alert: Alert, translation: Translation) -> Option<Self> {
        let frame = Frame {
            at: translation.monotonic(alert.at),
            direction: match alert.link {
                0 => Direction::Out,
                _ => Direction::In,
            },
            unheard: false,
            length: alert.length,
            bytes: alert.bytes,
        };
        let is_of_case = match Packet::of(&frame) {
            Packet::Tcp(_) | Packet::Neighbour(_) => true,
            Packet::Icmp(message) => !message.is_chatter(),
            Packet::Other => false,
        };
        is_of_case.then_some(Self {
            link: alert.link,
            reason: alert.reason,
            function: alert.function,
            frame,
        })
    }

    /// Returns the drop with the node that dropped the packet, or `None` if that is not a node of
    /// this plan.
    fn at(&self, plan: &NetworkPlan) -> Option<PacketDrop> {
        Some(PacketDrop {
            node: dropped_by(self.link, &self.frame.bytes, plan)?,
            reason: self.reason.clone(),
            function: self.function.clone(),
            frame: self.frame.clone(),
        })
    }
}

/// Returns the node at which the packet arrived, or, for a packet that arrived at none, the node
/// that sent it. Interface indices are unique in a lab. Returns `None` for interfaces that are not
/// in the plan, such as the bridge of a switch, which see copies.
fn dropped_by(link: u32, bytes: &[u8], plan: &NetworkPlan) -> Option<Node> {
    let source = bytes.get(6..12);
    plan.nodes
        .iter()
        .find(|node| {
            node.interfaces.iter().any(|interface| match link {
                0 => Some(&interface.mac[..]) == source,
                link => interface.index == link,
            })
        })
        .map(|node| node.node)
}
