//! Determines whether a segment reaches the other end between the return of the path and the end of
//! the timer.

use std::time::Duration;

use super::interval::Interval;
use super::outage::PathReturn;

/// The transmissions of a timer without any answer, up to the time at which it gives up.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// The time of each transmission, from the timer's zero; in order.
    pub(super) at: Vec<Interval>,
    /// The number of transmissions that certainly come before the timer gives up; the others may
    /// come.
    pub(super) certain: usize,
}

/// The first event after the path is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A segment reaches the other end, within this interval.
    Reaches(Interval),
    /// The timer gives up.
    TooLate,
    /// The rules do not determine it.
    Unsettled,
}

/// Returns the first event after the path is whole at `back`. A segment may wait for up to `held`
/// for its neighbour's address, and still be sent.
pub(super) fn reach(schedule: &Schedule, back: PathReturn, held: Duration) -> Reach {
    let index = |found: &dyn Fn(&Interval) -> bool| schedule.at.iter().position(found);
    let (first, last) = match back.after_probes {
        Some(sent) => {
            let next = usize::try_from(sent)
                .ok()
                .filter(|n| *n < schedule.at.len());
            (next, next)
        }
        None => (
            index(&|at| at.max + held >= back.at.min),
            index(&|at| at.min >= back.at.max),
        ),
    };
    let Some(first) = first else {
        return Reach::TooLate;
    };
    match last {
        Some(last) if last < schedule.certain => {
            let earliest = schedule.at[first].min.max(back.at.min);
            Reach::Reaches(Interval::new(earliest, schedule.at[last].max))
        }
        _ => Reach::Unsettled,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, Schedule, reach};
    use crate::oracle::interval::Interval;
    use crate::oracle::outage::PathReturn;
    use std::time::Duration;

    fn span(min: u64, max: u64) -> Interval {
        Interval::new(Duration::from_millis(min), Duration::from_millis(max))
    }

    fn reached(min: u64, max: u64, held: u64) -> Reach {
        let schedule = Schedule {
            at: vec![span(1000, 1030), span(2000, 2060), span(3000, 3090)],
            certain: 3,
        };
        let at = span(min, max);
        let back = PathReturn {
            at,
            after_probes: None,
        };
        reach(&schedule, back, Duration::from_millis(held))
    }

    #[test]
    fn first_segment_after_the_return_arrives() {
        assert_eq!(reached(1500, 1550, 0), Reach::Reaches(span(2000, 2060)));
    }

    #[test]
    fn a_return_at_a_transmission_may_meet_it_or_the_next() {
        assert_eq!(reached(2010, 2070, 0), Reach::Reaches(span(2010, 3090)));
    }

    #[test]
    fn a_held_segment_arrives_with_the_return() {
        assert_eq!(reached(1500, 1550, 3000), Reach::Reaches(span(1500, 2060)));
    }

    #[test]
    fn nothing_arrives_after_the_last_sending() {
        assert_eq!(reached(3200, 3250, 0), Reach::TooLate);
        assert_eq!(reached(3050, 3100, 0), Reach::Unsettled);
    }
}
