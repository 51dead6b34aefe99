//! The prediction for one end of one case, as data.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::model::ErrnoName;

/// The predicted outcome of one end, by the kernel's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prediction {
    /// The outcome.
    pub(crate) outcome: PredictedOutcome,
    /// The rule that it follows from, in one or two sentences, with the kernel function.
    pub rule: String,
}

/// The kinds of outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PredictedOutcome {
    /// The kernel reports this error.
    Error {
        /// The errno; `None` if the topology and the faults do not determine it.
        errno: Option<ErrnoName>,
        /// The window of the error.
        window: PredictedWindow,
    },
    /// The kernel never reports an error.
    Survives,
}

/// The time window of an error. The lower bound needs no tolerance, because the kernel's timers are
/// never early. The kernel counts whole jiffies, so a check of elapsed time may succeed up to one
/// jiffy early; that jiffy is already subtracted.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PredictedWindow {
    /// The event that the times count from.
    pub(crate) since: Origin,
    /// The value of the formula: the error comes no earlier than this.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub(crate) earliest: Duration,
    /// The value of the formula and the lateness of the timer wheel: the error comes no later than
    /// this on an unloaded machine.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub(crate) latest: Duration,
    /// The formula in text form: `idle 1s + 3 probes x 1s`.
    pub(crate) formula: String,
}

/// The event that the kernel counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// The last segment that the observed end received (`keepalive_time_elapsed` in
    /// `include/net/tcp.h`).
    LastReceived,
    /// The first transmission of the data that is never acknowledged.
    FirstUnacknowledged,
}
