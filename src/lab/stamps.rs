//! Whether the kernel stamps packets with the time at which they come.
//!
//! It does so only while some socket asks for it, and not from the moment on that the first one
//! asks: on a busy machine it can be milliseconds later (`net_enable_timestamp` leaves the switch
//! to a work queue). Until then a packet has the time at which it is read, and a RST would seem to
//! come after the error that it has caused.

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

/// Until it is looked again.
const PACE: Duration = Duration::from_millis(1);

/// A work queue has its turn sooner on any machine that gets anything done.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks for as long as this process lives, in the namespace of the first who calls this: not to be
/// called inside a lab's.
pub(super) fn ask() -> io::Result<()> {
    static ASKING: OnceLock<UdpSocket> = OnceLock::new();
    if ASKING.get().is_none() {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        ASKING.get_or_init(|| socket);
    }
    Ok(())
}

/// Waits until packets are stamped when they come. To be called in a namespace whose loopback is
/// up, after [`ask`].
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

/// Sends a packet to itself, which is there when the call returns; whether its time is from before
/// it is read.
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

/// When the packet came (`SO_TIMESTAMPNS`), by `CLOCK_REALTIME`.
pub(super) fn of<S>(message: &RecvMsg<'_, '_, S>) -> io::Result<Option<Duration>> {
    let stamp = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
        _ => None,
    });
    Ok(stamp)
}
