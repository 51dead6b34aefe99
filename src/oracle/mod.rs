//! What Linux will do: pure functions, each rule with the kernel function it comes from.
//!
//! [`predict`] walks a case's steps ([`timeline`]), asks which timer runs ([`keepalive`], [`retransmission`]) and how late it may be
//! ([`wheel`]), and which error is left when it gives up.

mod errors;
pub mod keepalive;
pub mod outage;
mod predict;
pub mod prediction;
mod reach;
pub mod retransmission;
pub mod span;
mod ticks;
pub mod timeline;
mod tracking;
mod way;
pub mod wheel;
mod wording;
mod zero;

pub use predict::NO_TIMER;
pub use ticks::{Ticks, predict};
pub use zero::from_zero;
