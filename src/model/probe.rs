//! Events of a keepalive probe.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::display::display_as;

/// An event of a keepalive probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeEvent {
    /// The probe was sent.
    Sent,
    /// The answer to the probe was received.
    Answered,
}

display_as!(ProbeEvent { ProbeEvent::Sent => "sent", ProbeEvent::Answered => "answered" });
