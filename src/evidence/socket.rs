//! A socket as `sock_diag(7)` shows it, as `ss -tinope` does.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::clock::Moment;
use crate::scenario::model::End;

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

/// A connection's state (RFC 9293 section 3.3.2), as the kernel spells it without `TCP_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are the RFC's own")]
pub enum TcpState {
    Established,
    SynSent,
    SynRecv,
    FinWait1,
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    NewSynRecv,
}

impl TcpState {
    /// All of them, in the order of their numbers from 1 (include/net/tcp_states.h).
    pub const ALL: [Self; 12] = [
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
        Self::NewSynRecv,
    ];

    /// From the kernel's number.
    #[must_use]
    pub fn from_kernel(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// As the kernel spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::NewSynRecv => "NEW_SYN_RECV",
        }
    }
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
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

/// The timers that `sock_diag` tells apart (`inet_sk_diag_fill`), as `ss -o` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimerKind {
    /// Retransmission, loss probe or reordering.
    On,
    /// Keepalive.
    Keepalive,
    /// The end of `TIME_WAIT`.
    TimeWait,
    /// Zero window probe.
    Persist,
}

impl fmt::Display for TimerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::On => "on",
            Self::Keepalive => "keepalive",
            Self::TimeWait => "timewait",
            Self::Persist => "persist",
        })
    }
}

/// The part of `struct tcp_info` (include/uapi/linux/tcp.h) that tells how a connection dies; the names are the kernel's without
/// `tcpi_`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_kernels_numbers_and_names() {
        assert_eq!(TcpState::from_kernel(0), None);
        assert_eq!(TcpState::from_kernel(1), Some(TcpState::Established));
        assert_eq!(TcpState::from_kernel(7), Some(TcpState::Close));
        assert_eq!(TcpState::from_kernel(12), Some(TcpState::NewSynRecv));
        assert_eq!(TcpState::from_kernel(13), None);
        for state in TcpState::ALL {
            let json = serde_json::to_string(&state).unwrap();
            // serde separates words at capitals only.
            assert_eq!(json.replace('"', ""), state.name());
        }
    }
}
