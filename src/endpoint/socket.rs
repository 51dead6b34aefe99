//! Creates and configures sockets inside a host's namespace.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::witness::EndWitness;
use crate::lab::error::LabError;
use crate::lab::node::LabNode;
use crate::model::{EndSettings, Ended, ErrnoName, Family, Moment};
use crate::setting::{self, OptionKind, SocketOption};
use crate::sys;

/// Opens the server's listening socket. Every accepted socket inherits its options
/// (`inet_csk_clone_lock`).
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
        apply(&socket, address, &settings)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from_std(socket.into())?)
    })
    .await
}

/// Connects from the client's namespace and from a port that the caller chooses: the kernel's own
/// choice differs from run to run.
///
/// # Errors
/// [`LabError::Socket`], or [`LabError::Connect`] if the connection is refused or times out.
pub async fn connect(
    node: &LabNode,
    from: SocketAddr,
    address: SocketAddr,
    settings: &EndSettings,
) -> Result<TcpStream, LabError> {
    let socket = TcpSocket::from_std_stream(ready(node, from, address, settings).await?.into());
    let failed = |source| LabError::Connect {
        address,
        node: node.node.to_string(),
        source,
    };
    // The kernel retransmits a SYN for minutes. In a lab that is up, the SYN is answered at once.
    match tokio::time::timeout(PATIENCE, socket.connect(address)).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

/// Connects without a time limit. Returns the result of `connect`, and the time at which the kernel
/// reported it.
///
/// # Errors
/// [`LabError::Socket`].
pub(crate) async fn try_connect(
    node: &LabNode,
    from: SocketAddr,
    address: SocketAddr,
    settings: &EndSettings,
    witness: &EndWitness,
) -> Result<(io::Result<TcpStream>, Moment), LabError> {
    let socket = ready(node, from, address, settings).await?;
    let failed = |error: io::Error| (Err(error), Moment::now());
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Ok(failed(error)),
        _ => {}
    }
    let stream = match TcpStream::from_std(socket.into()) {
        Ok(stream) => stream,
        Err(error) => return Ok(failed(error)),
    };
    // The socket can be watched only from here on: before `connect`, it has no connection.
    let watched = witness.watch(&stream);
    let result = match stream.writable().await {
        Ok(()) => stream.take_error(),
        Err(error) => Err(error),
    };
    let now = Moment::now();
    Ok(match result {
        Ok(None) => (Ok(stream), now),
        Ok(Some(error)) => {
            let ended = Ended::Error(ErrnoName::from_raw(
                error.raw_os_error().unwrap_or_default(),
            ));
            (Err(error), watched.reported(ended).unwrap_or(now))
        }
        Err(error) => (Err(error), now),
    })
}

/// Returns a socket of the client that is bound to its port.
async fn ready(
    node: &LabNode,
    from: SocketAddr,
    address: SocketAddr,
    settings: &EndSettings,
) -> Result<Socket, LabError> {
    let settings = settings.clone();
    make(
        node,
        format!("open a socket on port {}", from.port()),
        move || {
            let socket = open(address)?;
            apply(&socket, address, &settings)?;
            // Bind only the port: connect(2) chooses the address, as it does for a program that
            // does not bind.
            let unspecified: IpAddr = match from {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => {
                    // The other family of a dual-stack case uses the same port.
                    socket.set_only_v6(true)?;
                    Ipv6Addr::UNSPECIFIED.into()
                }
            };
            socket.bind(&SocketAddr::new(unspecified, from.port()).into())?;
            Ok(socket)
        },
    )
    .await
}

/// How long a connection may take to be established on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// The backlog of the listening socket, which is larger than the largest number of connections of a
/// case.
const BACKLOG: i32 = 1024;

/// The reason why a socket could not be created or configured.
enum Refused {
    /// The kernel lacks a socket option that newer kernels have.
    Missing {
        word: &'static str,
        since: &'static str,
    },
    /// A system call failed.
    System(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Creates a socket with `work` inside the node's namespace. `doing` describes the work in an
/// error.
async fn make<T: Send + 'static>(
    node: &LabNode,
    doing: String,
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, LabError> {
    let name = node.node.to_string();
    node.namespace
        .run(move || {
            work().map_err(|refused| match refused {
                Refused::Missing { word, since } => LabError::MissingFeature {
                    feature: word,
                    option: since,
                },
                Refused::System(source) => LabError::Socket {
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
    // An orphaned socket in FIN-WAIT would keep its namespace alive for minutes after this process
    // has ended, killed or not. With a linger time of zero, the kernel frees the socket when its
    // descriptor is closed, and sends a RST instead of a FIN (tcp_close).
    socket.set_linger(Some(Duration::ZERO))?;
    // Send a payload at once as one segment, without waiting for an acknowledgement (RFC 896).
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// Sets the socket options of an end.
fn apply(socket: &Socket, address: SocketAddr, settings: &EndSettings) -> Result<(), Refused> {
    let family = match address {
        SocketAddr::V4(_) => Family::Ipv4,
        SocketAddr::V6(_) => Family::Ipv6,
    };
    for option in setting::socket_options(settings, family) {
        let SocketOption {
            level, name, value, ..
        } = option;
        let set = sys::set_option(socket, level, name, value);
        match option.kind {
            OptionKind::Plain => set?,
            OptionKind::Recent { word, since } => {
                set.map_err(|error| match error.raw_os_error() {
                    Some(libc::ENOPROTOOPT) => Refused::Missing { word, since },
                    _ => Refused::System(error),
                })?
            }
            OptionKind::Buffer { limit } => {
                set?;
                doubled(value, sys::option(socket, level, name)?, limit)?;
            }
        }
    }
    Ok(())
}

/// Checks that the kernel has doubled the size of a buffer. The kernel silently reduces a size that
/// is too large (`sk_setsockopt`).
fn doubled(asked: i32, got: i32, sysctl: &str) -> io::Result<()> {
    if got == 2 * asked {
        return Ok(());
    }
    let cut =
        format!("the kernel set a buffer of {asked} bytes to {got}, not to twice that: {sysctl}");
    Err(io::Error::other(cut))
}
