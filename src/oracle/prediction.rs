//! What the oracle says of one end of one case: data.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::model::ErrnoName;

/// What one end will see, by the kernel's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prediction {
    /// The outcome.
    pub outcome: PredictedOutcome,
    /// The rule behind it, in one or two sentences, with the kernel function that it comes from.
    pub rule: String,
}

/// The kinds of outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PredictedOutcome {
    /// The kernel reports this error.
    Error {
        /// Which; `None` where the topology and faults do not settle it.
        errno: Option<ErrnoName>,
        /// When.
        window: PredictedWindow,
    },
    /// Nothing is ever reported.
    Survives,
}

/// When an error comes. The lower end needs no tolerance: the kernel's timers are never early, and
/// where the kernel counts whole jiffies and may thus find a time over up to one jiffy before it
/// is, that jiffy is already taken off.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PredictedWindow {
    /// What the times count from.
    pub since: Origin,
    /// The formula's value: no earlier than this.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub earliest: Duration,
    /// The formula and the lateness that the timer wheel allows: no later than this on an unloaded
    /// machine.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub latest: Duration,
    /// The formula as a person reads it: `idle 1s + 3 probes x 1s`.
    pub formula: String,
}

/// What the kernel counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The last segment that the observed end received (`keepalive_time_elapsed` in
    /// `include/net/tcp.h`).
    LastReceived,
    /// The first transmission of the data that is never acknowledged.
    FirstUnacknowledged,
}
