//! The delays that a verdict tolerates.

use std::time::Duration;

/// The maximum duration of a step, and the maximum delay of its start after it was due.
pub(crate) const STEP_TIME: Duration = Duration::from_millis(50);

/// The maximum round-trip time of a lab without artificial delay: 40 ms of delayed acknowledgement
/// (`TCP_DELACK_MIN`, `TCP_ATO_MIN`). The network itself adds less than 1 ms.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(40);

/// The maximum scheduling delay on an unloaded machine, from the expiry of a timer to the wake-up
/// of the application. Longer delays are measured: see [`crate::stall`].
pub(crate) const ALLOWANCE: Duration = Duration::from_millis(50);
