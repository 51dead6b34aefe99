//! Whether a segment reaches the other end between the path's return and the timer's end.

use std::time::Duration;

use super::interval::Interval;
use super::outage::PathReturn;

/// The sendings of a timer that nothing answers, and when it gives up.
#[derive(Debug, Clone)]
pub(super) struct Sendings {
    /// When each segment goes out, from the timer's zero; in order.
    pub(super) at: Vec<Interval>,
    /// How many of them go out before the timer gives up, for certain; the others may.
    pub(super) certain: usize,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A segment reaches the other end, in this time.
    Reaches(Interval),
    /// The timer gives up.
    TooLate,
    /// Cannot be told.
    Unsettled,
}

/// What comes first once the path is whole at `back`. A segment may wait `held` for its neighbour's
/// address and go out after all.
pub(super) fn reach(sendings: &Sendings, back: PathReturn, held: Duration) -> Reach {
    let index = |found: &dyn Fn(&Interval) -> bool| sendings.at.iter().position(found);
    let (first, last) = match back.after_probes {
        Some(sent) => {
            let next = usize::try_from(sent)
                .ok()
                .filter(|n| *n < sendings.at.len());
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
        Some(last) if last < sendings.certain => {
            let earliest = sendings.at[first].min.max(back.at.min);
            Reach::Reaches(Interval::new(earliest, sendings.at[last].max))
        }
        _ => Reach::Unsettled,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, Sendings, reach};
    use crate::oracle::interval::Interval;
    use crate::oracle::outage::PathReturn;
    use std::time::Duration;

    fn span(min: u64, max: u64) -> Interval {
        Interval::new(Duration::from_millis(min), Duration::from_millis(max))
    }

    fn reached(min: u64, max: u64, held: u64) -> Reach {
        let sendings = Sendings {
            at: vec![span(1000, 1030), span(2000, 2060), span(3000, 3090)],
            certain: 3,
        };
        let at = span(min, max);
        let back = PathReturn {
            at,
            after_probes: None,
        };
        reach(&sendings, back, Duration::from_millis(held))
    }

    #[test]
    fn first_segment_after_the_return_arrives() {
        assert_eq!(reached(1500, 1550, 0), Reach::Reaches(span(2000, 2060)));
    }

    #[test]
    fn a_return_among_sendings_may_meet_either() {
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
