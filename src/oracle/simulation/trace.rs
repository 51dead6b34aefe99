//! The reason why a connection ends.

/// The rule that ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::oracle) enum Cause {
    /// The number of keepalive probes is used up.
    Probes,
    /// The user timeout is over at a keepalive probe.
    ProbesUserTimeout,
    /// The retransmission timer has given up. `reverted`: an ICMP error has taken a doubling back.
    Retransmission { reverted: bool },
    /// The probe timer of data that was never sent has given up.
    Unsent,
    /// A host without the connection has answered with a RST.
    Reset,
    /// A router has answered with a RST.
    Rejected,
    /// The peer has given up, and its RST has arrived.
    PeerGaveUp,
}

impl Cause {
    /// Whether it is the same rule.
    pub(in crate::oracle) fn is_like(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Retransmission { .. }, Self::Retransmission { .. })
        ) || self == other
    }
}
