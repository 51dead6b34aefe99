//! The initial sequence numbers of a connection, from which reports count.

use crate::model::End;

/// The initial sequence number of each direction. Relative to it, the first byte has number 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bases {
    pub(super) client: u32,
    pub(super) server: u32,
}

impl Bases {
    /// Returns the initial sequence number of this end.
    pub(super) fn of(self, end: End) -> u32 {
        match end {
            End::Client => self.client,
            End::Server => self.server,
        }
    }
}
