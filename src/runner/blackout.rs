//! The times at which a host could not hear.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Moment;

/// When a host was silenced: its packet socket still sees what arrives, which the host itself does
/// not.
#[derive(Debug, Clone, Default)]
pub(super) struct Blackout(Arc<Mutex<Silences>>);

/// From when to when; the last one may have no end yet.
type Silences = Vec<(Moment, Option<Moment>)>;

impl Blackout {
    /// From now on it hears nothing.
    pub(super) fn begin(&self) {
        self.times().push((Moment::now(), None));
    }

    /// Up to this moment it heard nothing.
    pub(super) fn end(&self, until: Moment) {
        if let Some((_, end)) = self.times().last_mut() {
            end.get_or_insert(until);
        }
    }

    /// Whether it hears nothing now.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.times().last(), Some((_, None)))
    }

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
        // It may end only once.
        blackout.end(back + std::time::Duration::from_secs(1));
        assert!(!blackout.at(back) && blackout.at(during));
        assert!(before <= during);
    }
}
