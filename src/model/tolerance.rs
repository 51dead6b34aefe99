//! The delays that a judgement allows for.

use std::time::Duration;

/// How long a step may take, and how far it may lie after the step before where nothing is stated.
pub(crate) const STEP_TIME: Duration = Duration::from_millis(50);

/// The longest round trip of a lab without delay: 40 ms of delayed acknowledgement (`TCP_DELACK_MIN`,
/// `TCP_ATO_MIN`). The network itself takes less than 1 ms.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(40);

/// What the scheduler of an unloaded machine may add to a timer's expiry before the application is
/// told. Everything beyond is measured: see [`crate::stall`].
pub(crate) const ALLOWANCE: Duration = Duration::from_millis(50);
