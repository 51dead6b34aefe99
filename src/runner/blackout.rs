//! The intervals in which a host did not receive.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Moment;

/// The intervals in which a host was silenced. Its packet socket still captures the arriving
/// frames, but the network stack of the host does not receive them.
#[derive(Debug, Clone, Default)]
pub(super) struct Blackout(Arc<Mutex<Silences>>);

/// Start and end of each interval. The last interval has no end while it lasts.
type Silences = Vec<(Moment, Option<Moment>)>;

impl Blackout {
    /// Begins an interval now.
    pub(super) fn begin(&self) {
        self.times().push((Moment::now(), None));
    }

    /// Ends the current interval at this moment.
    pub(super) fn end(&self, until: Moment) {
        if let Some((_, end)) = self.times().last_mut() {
            end.get_or_insert(until);
        }
    }

    /// Whether an interval has begun and not ended.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.times().last(), Some((_, None)))
    }

    /// Whether the moment is within an interval.
    pub(super) fn at(&self, moment: Moment) -> bool {
        let within = |(from, until): &(Moment, Option<Moment>)| {
            *from <= moment && until.is_none_or(|until| moment < until)
        };
        self.times().iter().any(within)
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Silences> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_deaf_from_its_silence_to_its_return() {
        let blackout = Blackout::default();
        let before = Moment::now();
        blackout.begin();
        let during = Moment::now();
        assert!(blackout.at(during) && !blackout.at(Moment::from_nanos(0)));
        let back = during + std::time::Duration::from_secs(1);
        blackout.end(back);
        // A second end has no effect.
        blackout.end(back + std::time::Duration::from_secs(1));
        assert!(!blackout.at(back) && blackout.at(during));
        assert!(before <= during);
    }
}
