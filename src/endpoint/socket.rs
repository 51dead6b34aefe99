//! Sockets made and set inside a host's namespace.

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

/// Opens the server's listening socket. What is set on it is inherited by every socket that it
/// accepts (`inet_csk_clone_lock`).
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

/// Connects from the client's namespace, from a port that the caller chooses: the kernel's own
/// choice differs from run to run.
///
/// # Errors
/// [`LabError::Socket`], or [`LabError::Connect`] where the connection is refused or times out.
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
    // A SYN is repeated for minutes; across a lab that is up it is answered at once.
    match tokio::time::timeout(PATIENCE, socket.connect(address)).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

/// Connects however long it takes; what `connect` says, and when the kernel reported that.
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
    // It has a state only from here on.
    let watched = witness.watch(&stream);
    let said = match stream.writable().await {
        Ok(()) => stream.take_error(),
        Err(error) => Err(error),
    };
    let now = Moment::now();
    Ok(match said {
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

/// A socket of the client, bound.
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
            // The port alone: connect(2) chooses the address, as it does for a program that binds
            // nothing.
            let unspecified: IpAddr = match from {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => {
                    // The other family of a dual-stack case has the same port.
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

/// More than the most connections that a case may have.
const BACKLOG: i32 = 1024;

/// Why there is no socket.
enum Refused {
    /// The kernel lacks an option, which another one has.
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
    // An orphan in FIN-WAIT would keep its namespace alive for minutes after this process is gone,
    // killed or not. With a linger of zero the kernel frees the socket when its descriptor is
    // closed, with a RST in place of a FIN (tcp_close).
    socket.set_linger(Some(Duration::ZERO))?;
    // A payload is one segment at once, not held back for an acknowledgement (RFC 896).
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

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

/// What is too large is cut in silence (`sk_setsockopt`).
fn doubled(asked: i32, got: i32, sysctl: &str) -> io::Result<()> {
    if got == 2 * asked {
        return Ok(());
    }
    let cut =
        format!("of a buffer of {asked} bytes the kernel made {got} and not the double: {sysctl}");
    Err(io::Error::other(cut))
}
