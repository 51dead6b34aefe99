//! The frames at one host's interface, with the kernel's own timestamps.
//!
//! A packet socket that was opened inside the namespace sees what the host sends once it has left
//! the queue, and what it receives before the stack does. What is dropped before that (no carrier,
//! a silent host) was never on the wire and is not seen.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeSpec;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

use super::error::LabError;
use super::node::LabNode;
use super::stamps;
use crate::clock::Translation;
use crate::model::Family;
use crate::sys;
use crate::wire::{Direction, Frame};

/// `PACKET_OUTGOING` (include/uapi/linux/if_packet.h): a frame that this host sent.
const PACKET_OUTGOING: u8 = 4;

/// `PACKET_OTHERHOST`: a frame for another hardware address, which a switch has flooded. A packet
/// socket sees it, and a real interface would not have taken it (`eth_type_trans`, `ip_rcv_core`).
const PACKET_OTHERHOST: u8 = 3;

/// Bytes that may wait to be read.
const RECEIVE_BUFFER: usize = 32 << 20;

/// Room for the headers; payload beyond is not kept.
pub(crate) const SNAP_LENGTH: usize = 256;

/// A packet socket on one interface.
#[derive(Debug)]
pub(crate) struct Capture {
    /// Taken only by the drop.
    socket: Option<AsyncFd<OwnedFd>>,
    interface: u32,
    /// Of a network that carries both, what is of the other one is left to another capture.
    family: Family,
}

impl Capture {
    /// Opens the socket inside the node's namespace.
    ///
    /// # Errors
    /// [`LabError::Socket`] where the kernel refuses it.
    pub(crate) async fn open(
        node: &LabNode,
        interface: u32,
        family: Family,
    ) -> Result<Self, LabError> {
        let name = node.node.to_string();
        let failed = move |doing: &str| {
            let (doing, node) = (doing.to_owned(), name.clone());
            |source| LabError::Socket {
                doing,
                node,
                source,
            }
        };
        stamps::ask().map_err(failed("ask for timestamps"))?;
        node.namespace
            .run(move || {
                let socket = open_packet_socket().map_err(failed("open a packet socket"))?;
                stamps::wait().map_err(failed("wait for timestamps"))?;
                Ok(Self {
                    socket: Some(socket),
                    interface,
                    family,
                })
            })
            .await
    }

    /// The frames that have come since the last call; waits for at least one.
    ///
    /// # Errors
    /// What the socket reports.
    pub(crate) async fn next(&self) -> io::Result<Vec<Frame>> {
        loop {
            let Some(socket) = &self.socket else {
                return Ok(Vec::new());
            };
            let mut ready = socket.readable().await?;
            let frames = self.drain()?;
            // Clears only the readiness that this guard saw: a frame that has come since is
            // announced again.
            ready.clear_ready();
            if !frames.is_empty() {
                return Ok(frames);
            }
        }
    }

    /// The frames that the kernel has ready now.
    ///
    /// # Errors
    /// What the socket reports.
    pub(crate) fn drain(&self) -> io::Result<Vec<Frame>> {
        let clocks = Translation::sample();
        let mut frames = Vec::new();
        let Some(socket) = &self.socket else {
            return Ok(frames);
        };
        loop {
            match receive(socket.get_ref(), self.interface, clocks) {
                Ok(frame) => {
                    frames.extend(frame.filter(|frame| frame.family() == self.family));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(frames),
                // The interface went down: the socket says so once and goes on.
                Err(error) if error.raw_os_error() == Some(nix::libc::ENETDOWN) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Capture {
    /// How many frames the kernel has dropped since it was last asked, because the receive buffer
    /// was full.
    ///
    /// # Errors
    /// What reading the socket's statistics returns.
    pub(crate) fn lost(&self) -> io::Result<u32> {
        let socket = self.socket.as_ref();
        socket.map_or(Ok(0), |socket| sys::packets_dropped(socket.get_ref()))
    }
}

/// Closing a packet socket waits for an RCU grace period (`packet_release`), tens of milliseconds
/// that no other case should wait for.
impl Drop for Capture {
    fn drop(&mut self) {
        if let (Some(socket), Ok(runtime)) = (self.socket.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(socket));
        }
    }
}

fn open_packet_socket() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        flags,
        SockProtocol::EthAll,
    )?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    // A thousand connections that probe in one tick come as one burst. This is a limit, not memory
    // taken. Beyond net.core.rmem_max it needs CAP_NET_ADMIN in the initial user namespace;
    // without, the kernel takes as much as it allows.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    }
    sys::watch(socket)
}

/// One frame; `None` if it is another interface's, or none of this host's.
fn receive(socket: &OwnedFd, interface: u32, clocks: Translation) -> io::Result<Option<Frame>> {
    let mut buffer = [0_u8; SNAP_LENGTH];
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let mut control = cmsg_space!(TimeSpec);
    let message = recvmsg::<LinkAddr>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        // The whole length of what is cut short.
        MsgFlags::MSG_TRUNC,
    )?;
    let stamp = stamps::of(&message)?;
    let (Some(address), Some(stamp)) = (message.address, stamp) else {
        return Ok(None);
    };
    if address.ifindex() != interface as usize {
        return Ok(None);
    }
    let direction = match address.pkttype() {
        PACKET_OUTGOING => Direction::Out,
        PACKET_OTHERHOST => return Ok(None),
        _ => Direction::In,
    };
    let length = message.bytes;
    Ok(Some(Frame {
        at: clocks.monotonic(stamp),
        direction,
        unheard: false,
        length: u32::try_from(length).unwrap_or(u32::MAX),
        bytes: buffer[..length.min(SNAP_LENGTH)].to_vec(),
    }))
}
