//! The numbers from which the sequence numbers of a connection count.

use crate::model::End;

/// Where each direction's sequence numbers begin, so that the first byte has number 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bases {
    pub(super) client: u32,
    pub(super) server: u32,
}

impl Bases {
    /// Where those begin that this end sends.
    pub(super) fn of(self, end: End) -> u32 {
        match end {
            End::Client => self.client,
            End::Server => self.server,
        }
    }
}
