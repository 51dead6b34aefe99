//! A socket as `sock_diag(7)` shows it, as `ss -tinope` does.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::model::{End, Moment, TcpState, TimerKind};

/// One look at one end's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SocketSample {
    /// When.
    pub at: Moment,
    /// Whose.
    pub end: End,
    /// The client's port: which of the case's connections.
    pub connection: u16,
    /// `None` where the kernel has no such connection, which is then closed.
    pub state: Option<SocketState>,
}

/// The state of a socket that the kernel has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SocketState {
    /// The connection's state.
    pub state: TcpState,
    /// The timer that is armed; `None` where none is.
    pub timer: Option<Timer>,
    /// Bytes received that the application has not read.
    pub receive_queue: u32,
    /// Bytes written that the peer has not acknowledged.
    pub send_queue: u32,
    /// What `TCP_INFO` says.
    pub info: Option<TcpInfo>,
}

/// An armed timer.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timer {
    /// Which.
    pub kind: TimerKind,
    /// In how long it fires, to the millisecond.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub expires: Duration,
}

/// The part of `struct tcp_info` (include/uapi/linux/tcp.h) that tells how a connection dies; the
/// names are the kernel's without `tcpi_`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TcpInfo {
    /// Unrecovered retransmission timeouts.
    pub retransmits: u8,
    /// Keepalive or zero window probes that are not answered.
    pub probes: u8,
    /// Doublings of the retransmission timeout.
    pub backoff: u8,
    /// The retransmission timeout, in microseconds.
    pub rto: u32,
    /// Smoothed round-trip time, in microseconds.
    pub rtt: u32,
    /// Segments in flight.
    pub unacked: u32,
    /// Segments that are taken for lost.
    pub lost: u32,
    /// Segments retransmitted in the life of the connection.
    pub total_retrans: u32,
    /// Milliseconds since data was last sent.
    pub last_data_sent: u32,
    /// Milliseconds since data last came in.
    pub last_data_recv: u32,
    /// Milliseconds since an acknowledgement last came in.
    pub last_ack_recv: u32,
    /// Congestion window, in segments.
    pub snd_cwnd: u32,
    /// The window that the peer advertises, in bytes.
    pub snd_wnd: u32,
}
