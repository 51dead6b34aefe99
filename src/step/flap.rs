//! `flap`: a cable goes out and in again, several times.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use super::cable::{flaps, plugged, still};
use super::{Act, Kind, MOST_TIMES, Named, Need, StepKind};
use crate::file::{Context, Key, Reported, Shape, Table, Value, end};
use crate::model::{End, Side};
use crate::text::seconds;
use crate::world::{Fault, Refusal, World};

/// A cable that goes out and in again: each period is half the one and half the other.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flap {
    /// The host whose cable it is.
    pub at: End,
    /// 1..=1000.
    pub count: u32,
    /// From one time that it goes out to the next.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub period: Duration,
}

impl Flap {
    /// From when it goes out for the first time until it is in for good.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.period * self.count - self.period / 2
    }
}

/// Each half has to be long enough for the kernel to act on it: a carrier that comes and goes is
/// noticed up to a second late (`linkwatch_schedule_work`).
const SHORTEST_PERIOD: Duration = Duration::from_millis(200);

const AT: Key<End> = end("at", "The host whose cable it is.")
    .required("whose cable: `at = \"client\"` or `at = \"server\"`");
const COUNT: Key<u32> = Key::value(
    "count",
    Shape::Integer(1, MOST_TIMES),
    |value, cx| value.integer(1..=MOST_TIMES, |count| u32::try_from(count).ok(), cx),
    "How often the cable goes out.",
)
.required("how often: `count = 3`");
const PERIOD: Key<Duration> = Key::value(
    "period",
    Shape::Duration,
    period,
    "The time from one time that the cable goes out to the next, 200 ms or more: half of it out, half of it in.",
)
.required("the time from one time that it goes out to the next: `period = \"2s\"`");

pub(super) const KIND: Kind = Kind {
    word: "flap",
    about: "A cable goes out and in again, several times. The step is done when it is out for the first time.",
    keys: &[&AT, &COUNT, &PERIOD],
    relations: &[],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Flap, Reported> {
    let at = AT.need(table, cx);
    let count = COUNT.need(table, cx);
    let period = PERIOD.need(table, cx);
    Ok(Flap {
        at: at?.value,
        count: count?.value,
        period: period?.value,
    })
}

fn period(value: &Value, cx: &mut Context) -> Result<Duration, Reported> {
    let period = value.duration(cx)?;
    if period < SHORTEST_PERIOD {
        let shortest = seconds(SHORTEST_PERIOD);
        let help = format!("it is {shortest} at least, half of it out and half in");
        return Err(cx.report(value.cannot_be(period).help(help)));
    }
    Ok(period)
}

impl Act for Flap {
    fn kind(&self) -> StepKind {
        StepKind::Fault
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("at", self.at.node(), Need::Any)]
    }

    fn waits_for(&self, fault: &Fault, world: &World) -> bool {
        flaps(fault, Side::Cable(self.at), world)
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let cable = Side::Cable(self.at);
        still(world, cable)?;
        plugged(world, cable)?;
        world.begin_for(Fault::Flapping(self.at), self.duration());
        Ok(())
    }
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, count, period } = self;
        write!(
            f,
            "flap the {at}'s cable {count} times, every {}",
            seconds(*period)
        )
    }
}
