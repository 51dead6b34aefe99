//! The state of a socket as `sock_diag(7)` returns it and `ss -tinope` prints it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::model::{End, Moment, TcpState, TimerKind};

/// One sample of one end's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SocketSample {
    /// The time of the sample.
    pub at: Moment,
    /// The end that has the socket.
    pub(crate) end: End,
    /// The client's port, which identifies the connection within the case.
    pub(crate) connection: u16,
    /// The state; `None` if the kernel has no such connection any more, because it is closed.
    pub state: Option<SocketState>,
}

/// The state of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SocketState {
    /// The connection's state.
    pub(crate) state: TcpState,
    /// The timer that is armed; `None` if no timer is armed.
    pub timer: Option<Timer>,
    /// Bytes received that the application has not read.
    pub(crate) receive_queue: u32,
    /// Bytes written that the peer has not acknowledged.
    pub(crate) send_queue: u32,
    /// The `TCP_INFO` of the connection.
    pub info: Option<TcpInfo>,
}

/// An armed timer.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timer {
    /// The kind of the timer.
    pub kind: TimerKind,
    /// The time until it expires, with a resolution of one millisecond.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub(crate) expires: Duration,
}

/// The fields of `struct tcp_info` (include/uapi/linux/tcp.h) that show how a connection fails. The
/// names are the kernel's without `tcpi_`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TcpInfo {
    /// Unrecovered retransmission timeouts.
    pub(crate) retransmits: u8,
    /// Keepalive or zero window probes that are not answered.
    pub(crate) probes: u8,
    /// Doublings of the retransmission timeout.
    pub(crate) backoff: u8,
    /// The retransmission timeout, in microseconds.
    pub(crate) rto: u32,
    /// Smoothed round-trip time, in microseconds.
    pub(crate) rtt: u32,
    /// Segments in flight.
    pub(crate) unacked: u32,
    /// Segments that the kernel considers lost.
    pub(crate) lost: u32,
    /// Segments retransmitted in the life of the connection.
    pub(crate) total_retrans: u32,
    /// Milliseconds since data was last sent.
    pub(crate) last_data_sent: u32,
    /// Milliseconds since data was last received.
    pub last_data_recv: u32,
    /// Milliseconds since an acknowledgement was last received.
    pub last_ack_recv: u32,
    /// Congestion window, in segments.
    pub(crate) snd_cwnd: u32,
    /// The window that the peer advertises, in bytes.
    pub(crate) snd_wnd: u32,
}
