//! Why packets are dropped: the kernel's drop monitor (`net/core/drop_monitor.c`), a family of
//! generic netlink.
//!
//! It knows no namespaces: it tells the initial one of every packet that is dropped on the machine.
//! So it is for a kernel that has one case and nothing else. The kernel keeps the alerts in the
//! socket until they are asked for; what records at the hosts asks whenever something has happened
//! there.

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

/// Room for the alerts of a case, of about a kilobyte each with the kernel's own structures.
const ROOM: usize = 8 << 20;
/// So many are kept at the beginning, and as many at the end.
const KEPT: usize = 1000;

/// Listens to what the kernel drops.
#[derive(Debug)]
pub(crate) struct DropMonitor {
    socket: Socket,
    family: u16,
    heard: Mutex<Heard>,
}

/// What was heard so far.
#[derive(Debug, Default)]
struct Heard {
    drops: BTreeMap<Family, BoundedLog<Dropped>>,
    /// How many times something was not heard, or not understood.
    missed: u64,
}

impl DropMonitor {
    /// Starts to listen; `None` where the kernel has no drop monitor.
    ///
    /// # Errors
    /// [`LabError::Netlink`] where the kernel refuses.
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
        let family = match ask(&socket, &message::find_family()) {
            Ok(answers) => answers.iter().find_map(|answer| message::family(answer)),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOENT) => None,
            Err(error) => return Err(failed("look for the drop monitor")(error)),
        };
        let Some(family) = family else {
            return Ok(None);
        };
        ask(&socket, &message::configure(family)).map_err(failed("set up the drop monitor"))?;
        socket
            .add_membership(message::ALERTS)
            .map_err(failed("listen to the drop monitor"))?;
        ask(&socket, &message::start(family)).map_err(failed("start the drop monitor"))?;
        Ok(Some(Self {
            socket,
            family,
            heard: Mutex::default(),
        }))
    }

    /// Takes what the kernel has told since the last call, so that it has room for more. What it
    /// had no room for, and what cannot be understood, counts as cut: no more than evidence is
    /// lost with it.
    pub(crate) fn drain(&self) {
        let translation = Translation::sample();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let Heard { drops, missed } = &mut *heard;
        loop {
            let datagram = match self.socket.recv_from_full() {
                Ok((datagram, _)) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Alerts were dropped. The next call returns those that were not.
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

    /// What was dropped so far of the case's own packets of the plan's family.
    #[must_use]
    pub(crate) fn so_far(&self, plan: &NetworkPlan) -> Excerpt<PacketDrop> {
        self.drain();
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = heard.drops.get(&plan.family).cloned();
        let kept = kept.map_or_else(Excerpt::default, BoundedLog::finish);
        let cut_before = kept.items[..kept.cut_before].iter();
        let cut_before = cut_before.filter_map(|dropped| dropped.at(plan)).count();
        Excerpt {
            items: (kept.items.iter())
                .filter_map(|dropped| dropped.at(plan))
                .collect(),
            cut: kept.cut + heard.missed,
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

/// The kernel's answers are there when the call that asks returns (`genl_rcv`).
fn ask(socket: &Socket, request: &[u8]) -> io::Result<Vec<Vec<u8>>> {
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

/// What an answer says of the request's success; `None` where it is about something else.
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

/// A packet that was dropped somewhere.
#[derive(Debug, Clone)]
struct Dropped {
    /// The interface that it came in at; zero for what came in nowhere.
    link: u32,
    reason: String,
    function: String,
    frame: Frame,
}

impl Dropped {
    /// `None` for what has nothing to do with a case.
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

    /// With the node of this plan that dropped it, if one did.
    fn at(&self, plan: &NetworkPlan) -> Option<PacketDrop> {
        Some(PacketDrop {
            node: dropped_by(self.link, &self.frame.bytes, plan)?,
            reason: self.reason.clone(),
            function: self.function.clone(),
            frame: self.frame.clone(),
        })
    }
}

/// The node that it came in at; what came in nowhere was sent by the node itself. No two links of a
/// lab have one index. Others than those of the plan, such as the bridge of a switch, see copies.
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
