//! Events of a keepalive probe.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::display::display_as;

/// What happened to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeEvent {
    /// It went out.
    Sent,
    /// Its answer came in.
    Answered,
}

display_as!(ProbeEvent { ProbeEvent::Sent => "sent", ProbeEvent::Answered => "answered" });
