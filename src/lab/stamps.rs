//! Receive timestamps of the kernel.
//!
//! The kernel timestamps packets on arrival only while at least one socket has requested it. After
//! the first request, timestamping starts with a delay, which on a busy machine can be milliseconds
//! (`net_enable_timestamp` defers the change to a work queue). Until then, the timestamp of a
//! packet is the time at which it is read, and a RST would seem to arrive after the error that it
//! has caused.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrIn, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// The interval between two checks.
const PACE: Duration = Duration::from_millis(1);

/// The time limit of the checks. A work queue runs sooner on any machine that makes progress.
const LIMIT: Duration = Duration::from_secs(10);

/// Requests timestamps until the process ends. The first call opens a socket in the network
/// namespace of the calling thread, so this must not be called inside a namespace of a lab.
pub(super) fn ask() -> io::Result<()> {
    static ASKING: OnceLock<UdpSocket> = OnceLock::new();
    if ASKING.get().is_none() {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        ASKING.get_or_init(|| socket);
    }
    Ok(())
}

/// Waits until the kernel timestamps packets on arrival. Must be called after [`ask`], in a
/// namespace whose loopback is up. Fails with `TimedOut` after [`LIMIT`].
pub(super) fn wait() -> io::Result<()> {
    static BEGUN: OnceLock<()> = OnceLock::new();
    if BEGUN.get().is_some() {
        return Ok(());
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(socket.local_addr()?)?;
    socket.set_read_timeout(Some(LIMIT))?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    let begun = Instant::now();
    while !is_stamped_in_time(&socket)? {
        if begun.elapsed() > LIMIT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(PACE);
    }
    BEGUN.get_or_init(|| ());
    Ok(())
}

/// Sends a packet to the socket itself; it has arrived when the call returns. Returns whether its
/// timestamp is from before the read.
fn is_stamped_in_time(socket: &UdpSocket) -> io::Result<bool> {
    socket.send(b"?")?;
    let before_reading = Duration::from(clock_gettime(ClockId::CLOCK_REALTIME)?);
    let mut buffer = [0];
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let mut control = cmsg_space!(TimeSpec);
    let message = recvmsg::<SockaddrIn>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    Ok(of(&message)?.is_some_and(|stamp| stamp <= before_reading))
}

/// Returns the receive timestamp of the packet (`SO_TIMESTAMPNS`), by `CLOCK_REALTIME`.
pub(super) fn of<S>(message: &RecvMsg<'_, '_, S>) -> io::Result<Option<Duration>> {
    let stamp = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
        _ => None,
    });
    Ok(stamp)
}
