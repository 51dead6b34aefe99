//! Sockets made and set inside a host's namespace.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::lab::error::LabError;
use crate::lab::node::LabNode;
use crate::model::{BufferSize, EffectiveKeepalive, EndSettings, Keepalive};
use crate::sys;

/// Opens the server's listening socket. What is set on it is inherited by every socket that it accepts (`inet_csk_clone_lock`).
///
/// # Errors
/// [`LabError::Socket`].
pub async fn listen(
    node: &LabNode,
    address: SocketAddr,
    settings: &EndSettings,
) -> Result<TcpListener, LabError> {
    let settings = settings.clone();
    make(node, format!("listen on {address}"), move || {
        let socket = open(address)?;
        apply(&socket, &settings)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    })
    .await
}

/// Connects from the client's namespace, from a port that the caller chooses: the kernel's own choice differs from run to run.
///
/// # Errors
/// [`LabError::Socket`], or [`LabError::Connect`] where the connection is refused or times out.
pub async fn connect(
    node: &LabNode,
    from: SocketAddr,
    address: SocketAddr,
    settings: &EndSettings,
) -> Result<TcpStream, LabError> {
    let socket = ready(node, from, address, settings).await?;
    let failed = |source| LabError::Connect {
        address,
        node: node.node.to_string(),
        source,
    };
    // A SYN is repeated for minutes; across a lab that is up it is answered at once.
    match tokio::time::timeout(PATIENCE, socket.connect(address)).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

/// Connects however long it takes; the inner error is what `connect` says.
///
/// # Errors
/// [`LabError::Socket`].
pub async fn try_connect(
    node: &LabNode,
    from: SocketAddr,
    address: SocketAddr,
    settings: &EndSettings,
) -> Result<io::Result<TcpStream>, LabError> {
    let socket = ready(node, from, address, settings).await?;
    Ok(socket.connect(address).await)
}

/// A socket of the client, bound.
async fn ready(
    node: &LabNode,
    from: SocketAddr,
    address: SocketAddr,
    settings: &EndSettings,
) -> Result<TcpSocket, LabError> {
    let settings = settings.clone();
    make(
        node,
        format!("open a socket on port {}", from.port()),
        move || {
            let socket = open(address)?;
            apply(&socket, &settings)?;
            // The port alone: connect(2) chooses the address, as it does for a program that binds nothing.
            let unspecified: IpAddr = match from {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => {
                    // The other family of a dual-stack case has the same port.
                    socket.set_only_v6(true)?;
                    Ipv6Addr::UNSPECIFIED.into()
                }
            };
            socket.bind(&SocketAddr::new(unspecified, from.port()).into())?;
            Ok(TcpSocket::from_std_stream(socket.into()))
        },
    )
    .await
}

/// How long a connection may take to be established on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Since Linux 6.15 (`include/uapi/linux/tcp.h`).
const TCP_RTO_MAX_MS: i32 = 44;

/// More than the most connections that a case may have.
const BACKLOG: i32 = 1024;

async fn make<T: Send + 'static>(
    node: &LabNode,
    doing: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, LabError> {
    let name = node.node.to_string();
    node.namespace
        .run(move || {
            work().map_err(|source| match source.raw_os_error() {
                // No other option of a lab's sockets is younger than the oldest kernel that the harness runs on.
                Some(nix::libc::ENOPROTOOPT) => LabError::MissingFeature {
                    feature: "TCP_RTO_MAX_MS",
                    option: "Linux 6.15",
                },
                _ => LabError::Socket {
                    doing,
                    node: name,
                    source,
                },
            })
        })
        .await
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // An orphan in FIN-WAIT would keep its namespace alive for minutes after this process is gone, killed or not. With a linger of
    // zero the kernel frees the socket when its descriptor is closed, with a RST in place of a FIN (tcp_close).
    socket.set_linger(Some(Duration::ZERO))?;
    // A payload is one segment at once, not held back for an acknowledgement (RFC 896).
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn apply(socket: &Socket, settings: &EndSettings) -> io::Result<()> {
    if let Some(keepalive) = settings.keepalive {
        socket.set_keepalive(true)?;
        let mut numbers = TcpKeepalive::new();
        let derived = EffectiveKeepalive::new(keepalive);
        let (idle, interval, probes) = match keepalive {
            Keepalive::Sysctl { .. } => (false, false, false),
            Keepalive::Options {
                idle,
                interval,
                probes,
            } => (idle.is_some(), interval.is_some(), probes.is_some()),
            Keepalive::Time(_) => (true, true, true),
        };
        if idle {
            numbers = numbers.with_time(derived.idle);
        }
        if interval {
            numbers = numbers.with_interval(derived.interval);
        }
        if probes {
            numbers = numbers.with_retries(derived.probes);
        }
        socket.set_tcp_keepalive(&numbers)?;
    }
    if settings.user_timeout.is_some() {
        socket.set_tcp_user_timeout(settings.user_timeout)?;
    }
    if let Some(count) = settings.syn_retries {
        sys::set_tcp_option(socket, nix::libc::TCP_SYNCNT, count.into())?;
    }
    if let Some(longest) = settings.rto_max {
        let milliseconds = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
        sys::set_tcp_option(socket, TCP_RTO_MAX_MS, milliseconds)?;
    }
    if settings.recverr {
        match socket.domain()? {
            Domain::IPV6 => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
            _ => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
        }
    }
    // On a listening socket they are those of every connection from the first segment on: its window is announced with the SYN-ACK.
    if let Some(size) = settings.send_buffer {
        socket.set_send_buffer_size(size.get())?;
        doubled(size, socket.send_buffer_size()?, "net.core.wmem_max")?;
    }
    if let Some(size) = settings.receive_buffer {
        socket.set_recv_buffer_size(size.get())?;
        doubled(size, socket.recv_buffer_size()?, "net.core.rmem_max")?;
    }
    if settings.nagle {
        socket.set_tcp_nodelay(false)?;
    }
    Ok(())
}

/// What is too large is cut in silence (`sk_setsockopt`).
fn doubled(asked: BufferSize, got: usize, sysctl: &str) -> io::Result<()> {
    if got == 2 * asked.get() {
        return Ok(());
    }
    let cut =
        format!("of a buffer of {asked} bytes the kernel made {got} and not the double: {sysctl}");
    Err(io::Error::other(cut))
}
