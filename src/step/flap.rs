//! `flap`: a cable is unplugged and plugged in again, several times.

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

/// Unplugs a cable and plugs it in again, `count` times. In each period the carrier is down for the
/// first half, and up for the second half.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flap {
    /// The host at which the cable ends.
    pub at: End,
    /// How often the carrier goes down, 1..=1000.
    pub count: u32,
    /// The time from one loss of the carrier to the next.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub period: Duration,
}

impl Flap {
    /// The time from the first loss of the carrier until the carrier is back for good.
    #[must_use]
    pub(crate) fn duration(self) -> Duration {
        self.period * self.count - self.period / 2
    }
}

/// The shortest period. Each half must be long enough for the kernel to act on it: the kernel
/// handles changes of the carrier up to one second late (`linkwatch_schedule_work`).
const SHORTEST_PERIOD: Duration = Duration::from_millis(200);

const AT: Key<End> = end("at", "The host at which the cable ends.")
    .required("the host: `at = \"client\"` or `at = \"server\"`");
const COUNT: Key<u32> = Key::value(
    "count",
    Shape::Integer(1, MOST_TIMES),
    |value, cx| value.integer(1..=MOST_TIMES, |count| u32::try_from(count).ok(), cx),
    "How often the carrier is lost.",
)
.required("how often: `count = 3`");
const PERIOD: Key<Duration> = Key::value(
    "period",
    Shape::Duration,
    period,
    "The time from one loss of the carrier to the next, at least 200 ms: the carrier is down for the first half, and up for the second half.",
)
.required("the time from one loss of the carrier to the next: `period = \"2s\"`");

pub(super) const KIND: Kind = Kind {
    word: "flap",
    about: "A cable is unplugged and plugged in again, several times. The step is done when the carrier is lost for the first time.",
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
        let help = format!("the period is at least {shortest}: half of it out, half of it in");
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
