//! Captures the frames at one host's interface, with kernel timestamps.
//!
//! A packet socket inside the namespace sees outgoing frames after they have left the queue, and
//! incoming frames before the network stack processes them. An outgoing frame that is dropped
//! earlier (no carrier, a blackout of the host) was never on the wire, and the capture does not see
//! it.

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
/// socket sees it, although a real interface would not accept it (`eth_type_trans`, `ip_rcv_core`).
const PACKET_OTHERHOST: u8 = 3;

/// The size of the receive buffer, in bytes.
const RECEIVE_BUFFER: usize = 32 << 20;

/// The number of bytes of a frame that are kept: enough for the headers, but not for all of the
/// payload.
pub(crate) const SNAP_LENGTH: usize = 256;

/// A packet socket on one interface.
#[derive(Debug)]
pub(crate) struct Capture {
    /// `None` only after the drop has taken the socket.
    socket: Option<AsyncFd<OwnedFd>>,
    interface: u32,
    /// The address family to capture. In a network with both families, another capture records the
    /// other one.
    family: Family,
}

impl Capture {
    /// Opens the socket inside the node's namespace.
    ///
    /// # Errors
    /// [`LabError::Socket`] if the kernel refuses the socket or the timestamps.
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
        stamps::ask().map_err(failed("request timestamps"))?;
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

    /// Waits for at least one frame, and returns the frames that have arrived since the last call.
    ///
    /// # Errors
    /// The error of the socket.
    pub(crate) async fn next(&self) -> io::Result<Vec<Frame>> {
        loop {
            let Some(socket) = &self.socket else {
                return Ok(Vec::new());
            };
            let mut ready = socket.readable().await?;
            let frames = self.drain()?;
            // This clears only the readiness that this guard has seen. A frame that has arrived
            // since then makes the socket ready again.
            ready.clear_ready();
            if !frames.is_empty() {
                return Ok(frames);
            }
        }
    }

    /// Returns the frames that are queued on the socket. Does not wait.
    ///
    /// # Errors
    /// The error of the socket.
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
                // The interface went down. The socket reports this once and remains usable.
                Err(error) if error.raw_os_error() == Some(nix::libc::ENETDOWN) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Capture {
    /// Returns the number of frames that the kernel has dropped since the last call because the
    /// receive buffer was full.
    ///
    /// # Errors
    /// The error of reading the socket's statistics.
    pub(crate) fn lost(&self) -> io::Result<u32> {
        let socket = self.socket.as_ref();
        socket.map_or(Ok(0), |socket| sys::packets_dropped(socket.get_ref()))
    }
}

/// Closing a packet socket waits for an RCU grace period (`packet_release`), which takes tens of
/// milliseconds. A blocking task closes it, so that no other case has to wait.
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
    // The probes of a thousand connections can arrive as one burst. The value is a limit; the
    // memory is not allocated in advance. A value above net.core.rmem_max needs CAP_NET_ADMIN in
    // the initial user namespace. Without it, the kernel uses the largest value that it allows.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    }
    sys::watch(socket)
}

/// Receives one frame. Returns `None` if it belongs to another interface or to another host, or has
/// no timestamp.
fn receive(socket: &OwnedFd, interface: u32, clocks: Translation) -> io::Result<Option<Frame>> {
    let mut buffer = [0_u8; SNAP_LENGTH];
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let mut control = cmsg_space!(TimeSpec);
    let message = recvmsg::<LinkAddr>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        // Return the full length of a truncated frame.
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
