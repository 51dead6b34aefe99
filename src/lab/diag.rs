//! The kernel's state of one connection's socket, read over `sock_diag(7)`: TCP state, timer, and
//! `TCP_INFO`.
//!
//! The request contains the addresses and ports of the connection, so the kernel looks the socket
//! up and does not walk a table. The answer is queued when the request has been sent, so no read
//! blocks.

use std::io;
use std::net::SocketAddr as Address;
use std::time::Duration;

use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{self, ExtensionFlags, InetRequest, SocketId, StateFlags};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::sys::protocols::NETLINK_SOCK_DIAG;
use rtnetlink::sys::{Socket, SocketAddr};

use super::error::LabError;
use super::node::LabNode;
use crate::evidence::{SocketState, TcpInfo, Timer};
use crate::model::{TcpState, TimerKind};

/// The buffer size for one answer: the header, `struct tcp_info` and a few more attributes.
const ROOM: usize = 4096;

/// A netlink socket and a request for the state of one connection.
#[derive(Debug)]
pub(crate) struct Diag {
    socket: Socket,
    request: Vec<u8>,
}

impl Diag {
    /// Opens a netlink socket inside the node's namespace, for the connection between these
    /// addresses.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no `sock_diag`, [`LabError::Socket`] if it
    /// refuses the socket.
    pub(crate) async fn open(
        node: &LabNode,
        local: Address,
        remote: Address,
    ) -> Result<Self, LabError> {
        let name = node.node.to_string();
        let opened = node.namespace.run(move || {
            open_socket().map_err(|source| match source.raw_os_error() {
                Some(nix::libc::EPROTONOSUPPORT) => LabError::MissingFeature {
                    feature: "socket monitoring",
                    option: "CONFIG_INET_DIAG",
                },
                _ => LabError::Socket {
                    doing: "open a sock_diag socket".to_owned(),
                    node: name,
                    source,
                },
            })
        });
        Ok(Self {
            socket: opened.await?,
            request: request(local, remote),
        })
    }

    /// Returns the current state of the connection's socket, or `None` if the kernel has no such
    /// connection.
    ///
    /// # Errors
    /// The error of the netlink socket, or an error if the answer cannot be decoded.
    pub(crate) fn look(&self) -> io::Result<Option<SocketState>> {
        self.socket.send(&self.request, 0)?;
        let mut answer = Vec::with_capacity(ROOM);
        self.socket.recv(&mut answer, 0)?;
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(&answer);
        match message.map_err(io::Error::other)?.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                Ok(state(&response))
            }
            NetlinkPayload::Error(error) => match error.to_io() {
                error if error.raw_os_error() == Some(nix::libc::ENOENT) => Ok(None),
                error => Err(error),
            },
            other => Err(io::Error::other(format!(
                "unexpected answer of sock_diag: {other:?}"
            ))),
        }
    }
}

/// `SOCK_DESTROY` in `include/uapi/linux/sock_diag.h`. The request is otherwise that of a lookup.
const SOCK_DESTROY: u16 = 21;

impl Diag {
    /// Destroys the connection's socket, as `ss -K` does.
    ///
    /// # Errors
    /// The kernel's error: `EOPNOTSUPP` if it was built without `CONFIG_INET_DIAG_DESTROY`.
    pub(crate) fn destroy(&self) -> io::Result<()> {
        let mut request = self.request.clone();
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        request[4..6].copy_from_slice(&SOCK_DESTROY.to_ne_bytes());
        request[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.socket.send(&request, 0)?;
        let mut answer = Vec::with_capacity(ROOM);
        self.socket.recv(&mut answer, 0)?;
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(&answer);
        match message.map_err(io::Error::other)?.payload {
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
            NetlinkPayload::Error(error) => Err(error.to_io()),
            other => Err(io::Error::other(format!(
                "unexpected answer of sock_diag: {other:?}"
            ))),
        }
    }
}

fn open_socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // A blocking read of a missing answer would block a worker thread of the runtime.
    socket.set_non_blocking(true)?;
    Ok(socket)
}

fn request(local: Address, remote: Address) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let request = InetRequest {
        family: if local.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: local.port(),
            destination_port: remote.port(),
            source_address: local.ip(),
            destination_address: remote.ip(),
            interface_id: 0,
            // INET_DIAG_NOCOOKIE: any socket with these addresses.
            cookie: [0xff; 8],
        },
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Decodes a response. Returns `None` for a listening socket: the lookup finds that socket if the
/// connection no longer exists (`inet_diag_find_one_icsk`).
fn state(response: &inet::InetResponse) -> Option<SocketState> {
    let header = &response.header;
    let state = TcpState::from_kernel(header.state).filter(|state| *state != TcpState::Listen)?;
    let info = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(info) => Some(TcpInfo {
            retransmits: info.retransmits,
            probes: info.probes,
            backoff: info.backoff,
            rto: info.rto,
            rtt: info.rtt,
            unacked: info.unacked,
            lost: info.lost,
            total_retrans: info.total_retrans,
            last_data_sent: info.last_data_sent,
            last_data_recv: info.last_data_recv,
            last_ack_recv: info.last_ack_recv,
            snd_cwnd: info.snd_cwnd,
            snd_wnd: info.snd_wnd,
        }),
        _ => None,
    });
    Some(SocketState {
        state,
        timer: header.timer.as_ref().map(timer),
        receive_queue: header.recv_queue,
        send_queue: header.send_queue,
        info,
    })
}

fn timer(timer: &inet::Timer) -> Timer {
    let (kind, expires) = match timer {
        inet::Timer::Retransmit(expires, _) => (TimerKind::On, *expires),
        inet::Timer::KeepAlive(expires) => (TimerKind::Keepalive, *expires),
        inet::Timer::TimeWait => (TimerKind::TimeWait, Duration::ZERO),
        inet::Timer::Probe(expires) => (TimerKind::Persist, *expires),
    };
    Timer { kind, expires }
}
