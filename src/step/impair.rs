//! `impair`: packets that a host sends are delayed, lost, duplicated, reordered or rate-limited
//! (netem).

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{
    Context, Diagnostic, Key, Relation, Reported, Shape, Table, Value, duration, end, share,
};
use crate::model::{End, Percent};
use crate::text::seconds;
use crate::world::{Fault, Refusal, World};

/// Impairs the packets that a host sends, or ends that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Impair {
    /// The host.
    pub at: End,
    /// The impairment; `None` ends it. Packets that are queued in netem when the impairment ends
    /// are lost.
    pub impairment: Option<Impairment>,
}

/// The impairments (netem). As in the capture, the data that a host passes to its interface in one
/// piece counts as one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Impairment {
    /// The delay of all packets.
    pub delay: Option<Delay>,
    /// The percentage of packets that are lost.
    pub loss: Option<Percent>,
    /// The percentage of packets that are duplicated.
    pub duplicate: Option<Percent>,
    /// The rate limit in kbit/s.
    pub rate: Option<u32>,
    /// The seed of the random choice: the same seed chooses the same packets.
    pub seed: Option<u64>,
}

/// A delay.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delay {
    /// The mean delay, at most 60 s.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub by: Duration,
    /// The maximum random deviation of each packet's delay from `by`, at most `by`.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub jitter: Option<Duration>,
    /// The percentage of packets that are not delayed, and so overtake delayed ones.
    pub reorder: Option<Percent>,
}

impl Impairment {
    /// Whether the impairment is random.
    #[must_use]
    pub(crate) fn is_random(&self) -> bool {
        let delayed = |delay: Delay| delay.jitter.is_some() || delay.reorder.is_some();
        self.loss.is_some() || self.duplicate.is_some() || self.delay.is_some_and(delayed)
    }
}

/// The longest delay. It is longer than the delay of any path on Earth.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The highest rate, in kbit/s: 10 Gbit/s. A higher rate limits nothing here.
const LARGEST_RATE: u64 = 10_000_000;

const AT: Key<End> = end("at", "The host whose outgoing packets are impaired.")
    .required("the host whose packets are impaired: `at = \"client\"` or `at = \"server\"`");
const ACTION: Key<()> = Key::word(
    "action",
    &[("stop", ())],
    "`stop` ends the impairment. Without it, one begins.",
);
const DELAY: Key<Duration> = Key::value(
    "delay",
    Shape::Duration,
    delay_time,
    "All packets are delayed by this, up to 60 s.",
);
const JITTER: Key<Duration> = duration(
    "jitter",
    "The maximum random deviation from `delay`; at most `delay`.",
);
const LOSS: Key<Percent> = share("loss", "The share of packets that are lost.");
const DUPLICATE: Key<Percent> = share("duplicate", "The share of packets that are sent twice.");
const REORDER: Key<Percent> = share(
    "reorder",
    "The share of packets that are not delayed, and overtake others.",
);
const RATE: Key<u32> = Key::value(
    "rate",
    Shape::Integer(1, LARGEST_RATE),
    |value, cx| value.integer(1..=LARGEST_RATE, |rate| u32::try_from(rate).ok(), cx),
    "The rate of the path in kbit/s.",
);
pub(super) const SEED: Key<u64> = Key::value(
    "seed",
    Shape::Integer(0, u32::MAX as u64),
    |value, cx| value.integer(0..=u64::from(u32::MAX), Some, cx),
    "The seed of the random choice: the same seed chooses the same packets.",
);

pub(super) const KIND: Kind = Kind {
    word: "impair",
    about: "The packets that a host sends are delayed, lost, duplicated, reordered or slowed down. Needs netem, or `--warp`.",
    keys: &[
        &AT, &ACTION, &DELAY, &JITTER, &LOSS, &DUPLICATE, &REORDER, &RATE, &SEED,
    ],
    relations: &[
        Relation::Any(&["action", "delay", "loss", "duplicate", "rate"]),
        Relation::Excludes(
            &["action"],
            &[
                "delay",
                "jitter",
                "loss",
                "duplicate",
                "reorder",
                "rate",
                "seed",
            ],
        ),
        Relation::Needs("jitter", &["delay"]),
        Relation::Needs("reorder", &["delay"]),
        Relation::NeedsOne("seed", &["jitter", "loss", "duplicate", "reorder"]),
    ],
    of_family: false,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Impair, Reported> {
    let at = AT.need(table, cx);
    if ACTION.get(table, cx)?.is_some() {
        return Ok(Impair {
            at: at?.value,
            impairment: None,
        });
    }
    let delay = delay(table, cx);
    let loss = LOSS.get(table, cx);
    let duplicate = DUPLICATE.get(table, cx);
    let rate = RATE.get(table, cx);
    let seed = SEED.get(table, cx);
    let (at, delay, seed) = (at?.value, delay?, seed?);
    let impairment = Impairment {
        delay,
        loss: loss?.map(|at| at.value),
        duplicate: duplicate?.map(|at| at.value),
        rate: rate?.map(|at| at.value),
        seed: seed.as_ref().map(|at| at.value),
    };
    match seed {
        Some(seed) if !impairment.is_random() => {
            let idle = Diagnostic::new(
                seed.span,
                "`seed` has no effect: nothing in this step is random",
            );
            let help = "add `jitter`, `loss`, `duplicate` or `reorder`, or remove `seed`";
            Err(cx.report(idle.help(help)))
        }
        None if impairment == Impairment::default() => {
            let nothing = Diagnostic::new(table.place(), "this step impairs nothing");
            let help = "add `delay`, `loss`, `duplicate` or `rate`; or end an earlier impairment with `action = \"stop\"`";
            Err(cx.report(nothing.help(help)))
        }
        Some(_) | None => Ok(Impair {
            at,
            impairment: Some(impairment),
        }),
    }
}

fn delay_time(value: &Value, cx: &mut Context) -> Result<Duration, Reported> {
    let by = value.duration(cx)?;
    if by.is_zero() || by > LONGEST_DELAY {
        let help = "a delay is more than 0 s and at most 60 s";
        return Err(cx.report(value.cannot_be(by).help(help)));
    }
    Ok(by)
}

fn delay(table: &mut Table, cx: &mut Context) -> Result<Option<Delay>, Reported> {
    let by = DELAY.get(table, cx);
    let jitter = JITTER.get(table, cx);
    let reorder = REORDER.get(table, cx);
    let (by, jitter, reorder) = (by?, jitter?, reorder?);
    let needs = |key: &str, span: Range<usize>, why: &str| {
        let alone = Diagnostic::new(span, format!("`{key}` is given without `delay`"));
        alone.help(format!("add `delay = \"100ms\"`: {why}"))
    };
    match (by, jitter, reorder) {
        (None, Some(jitter), _) => {
            let why = "the jitter varies this delay";
            Err(cx.report(needs("jitter", jitter.span, why)))
        }
        (None, None, Some(reorder)) => {
            let why = "a packet that is not delayed overtakes one that is";
            Err(cx.report(needs("reorder", reorder.span, why)))
        }
        (Some(by), Some(jitter), _) if jitter.value > by.value => {
            let message = "`jitter` is longer than `delay`: no packet can arrive before it is sent";
            let wrong = Diagnostic::new(jitter.span, message).related(by.span, "the delay");
            let most = seconds(by.value);
            Err(cx.report(wrong.help(format!("with this delay, the jitter is at most {most}"))))
        }
        (None, None, None) => Ok(None),
        (Some(by), jitter, reorder) => Ok(Some(Delay {
            by: by.value,
            jitter: jitter.map(|at| at.value),
            reorder: reorder.map(|at| at.value),
        })),
    }
}

impl Act for Impair {
    fn kind(&self) -> StepKind {
        match self.impairment {
            Some(_) => StepKind::Fault,
            None => StepKind::Repair,
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("at", self.at.node(), Need::Any)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let at = self.at;
        if self.impairment.is_some() {
            world.begin(Fault::Impaired(at));
            return Ok(());
        }
        world.end_once(
            &Fault::Impaired(at),
            || format!("the packets from the {at} are not impaired, so there is nothing to stop"),
            || {
                format!(
                    "`do = \"impair\"`, `at = \"{at}\"`, with `delay`, `loss`, `duplicate` or `rate`"
                )
            },
        )
    }
}

impl fmt::Display for Impair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.impairment {
            Some(impairment) => write!(f, "impair packets from the {}: {impairment}", self.at),
            None => write!(f, "stop impairing packets from the {}", self.at),
        }
    }
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(Delay {
            by,
            jitter,
            reorder,
        }) = self.delay
        {
            parts.push(format!("delay {}", seconds(by)));
            parts.extend(jitter.map(|jitter| format!("jitter {}", seconds(jitter))));
            parts.extend(reorder.map(|share| format!("reorder {share}")));
        }
        parts.extend(self.loss.map(|share| format!("loss {share}")));
        parts.extend(self.duplicate.map(|share| format!("duplicate {share}")));
        parts.extend(self.rate.map(|rate| format!("rate {rate} kbit/s")));
        parts.extend(self.seed.map(|seed| format!("seed {seed}")));
        f.write_str(&parts.join(", "))
    }
}
