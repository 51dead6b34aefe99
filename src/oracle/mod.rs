//! Predictions of Linux's behaviour: pure functions. Each rule cites the kernel function that it
//! comes from.
//!
//! `predict` applies the steps of a case ([`timeline`]), determines which timer runs
//! ([`keepalive`], [`retransmission`]), how late it may be ([`wheel`]), and which error is reported
//! when it gives up.
//!
//! `simulation` is a second model of the same rules: it simulates both ends packet by packet. The
//! tests compare the two on all shipped cases, so that an error in one of them is found.

mod errors;
pub(crate) mod interval;
pub(crate) mod keepalive;
pub(crate) mod outage;
mod plain_path;
mod predict;
pub(crate) mod prediction;
mod reach;
pub(crate) mod retransmission;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod sweep;
mod ticks;
pub(crate) mod timeline;
mod tracking;
pub(crate) mod wheel;
mod wording;
mod zero;

pub(crate) use predict::NO_TIMER;
pub use ticks::Ticks;
pub(crate) use ticks::predict;
pub(crate) use zero::from_zero;
