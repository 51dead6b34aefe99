//! What Linux will do: pure functions, each rule with the kernel function it comes from.

pub mod keepalive;
pub mod prediction;
pub mod retransmission;
pub mod span;
pub mod wheel;
