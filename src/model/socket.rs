//! Properties of a socket that the kernel reports: state, timer, poll events, end.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::errno::ErrnoName;

/// How a connection ended, as seen by the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// `read` returned this error.
    Error(ErrnoName),
    /// `read` returned zero: the peer closed.
    EndOfFile,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(errno) => errno.fmt(f),
            Self::EndOfFile => f.pad("end of file"),
        }
    }
}

/// An event of poll(2). `POLLOUT` is not checked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
#[expect(clippy::enum_variant_names, reason = "the names are those of poll(2)")]
pub enum PollEvent {
    /// `read` would not block.
    PollIn,
    /// An error is pending (`sk_err`, or a message in the socket's error queue).
    PollErr,
    /// Both directions are shut down.
    PollHup,
    /// The peer has shut down its sending direction.
    PollRdHup,
}

impl PollEvent {
    /// All events.
    pub(crate) const ALL: [Self; 4] = [Self::PollIn, Self::PollErr, Self::PollHup, Self::PollRdHup];
}

impl fmt::Display for PollEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PollIn => "POLLIN",
            Self::PollErr => "POLLERR",
            Self::PollHup => "POLLHUP",
            Self::PollRdHup => "POLLRDHUP",
        })
    }
}

/// The state of a connection (RFC 9293 section 3.3.2). The names are those of the kernel without
/// the prefix `TCP_`.
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
    /// All states, in the order of their numbers from 1 (include/net/tcp_states.h).
    pub(crate) const ALL: [Self; 12] = [
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

    /// The state with this number in the kernel; `None` if there is no such state.
    #[must_use]
    pub(crate) fn from_kernel(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The kernel's name of the state.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
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

/// The timers that `sock_diag` distinguishes (`inet_sk_diag_fill`), with their names in `ss -o`.
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
