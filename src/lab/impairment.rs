//! Network emulation: a queueing discipline that impairs the packets which an interface sends
//! (`net/sched/sch_netem.c`).

use std::time::Duration;

use super::error::LabError;
use super::node::LabNode;
use super::queue::Queue;
use crate::kernel;
use crate::model::Percent;
use crate::step::{Delay, Impairment};

/// The limit of the queue, in packets.
const LIMIT: u32 = 10_000;

/// Attributes of include/uapi/linux/pkt_sched.h.
const REORDER: u16 = 3;
const RATE: u16 = 6;
/// Nanoseconds.
const LATENCY64: u16 = 10;
/// Nanoseconds.
const JITTER64: u16 = 11;
/// Only on kernels since [`SEEDED`].
const PRNG_SEED: u16 = 14;
/// The first kernel version with a seed for netem.
const SEEDED: (u32, u32) = (6, 6);

impl LabNode {
    /// Impairs the packets that the node sends over the link. Replaces any previous impairment.
    ///
    /// # Errors
    /// [`LabError::Netlink`], or [`LabError::MissingFeature`].
    pub(crate) async fn impair(&self, link: u32, impairment: &Impairment) -> Result<(), LabError> {
        // An older kernel silently ignores the unknown attribute (nla_parse_deprecated) and uses
        // random numbers of its own.
        if impairment.seed.is_some() && !kernel::is_since(SEEDED) {
            return Err(LabError::MissingFeature {
                feature: "seed for network emulation",
                option: "TCA_NETEM_PRNG_SEED, since Linux 6.6",
            });
        }
        let queue = Queue {
            kind: "netem",
            options: options(impairment),
            lacking: ("network emulation", "CONFIG_NET_SCH_NETEM"),
        };
        self.set_queue(link, queue, format!("impair link {link}"))
            .await
    }
}

/// Returns the netem options. All of them except the seed are always present, because the kernel
/// keeps the old value of an option that is absent (`netem_change`).
fn options(impairment: &Impairment) -> Vec<u8> {
    let Delay {
        by,
        jitter,
        reorder,
    } = impairment.delay.unwrap_or(Delay {
        by: Duration::ZERO,
        jitter: None,
        reorder: None,
    });
    // With a `gap` of 1, every packet may be one that is not delayed.
    let gap = u32::from(reorder.is_some());
    let (loss, duplicate) = (scaled(impairment.loss), scaled(impairment.duplicate));
    // struct tc_netem_qopt { __u32 latency, limit, loss, gap, duplicate, jitter; }. The latency and
    // the jitter are in separate attributes.
    let qopt = [0, LIMIT, loss, gap, duplicate, 0];
    let mut options: Vec<u8> = qopt.into_iter().flat_map(u32::to_ne_bytes).collect();
    attribute(&mut options, LATENCY64, &nanoseconds(by));
    attribute(
        &mut options,
        JITTER64,
        &nanoseconds(jitter.unwrap_or_default()),
    );
    // struct tc_netem_reorder { __u32 probability, correlation; }
    attribute(&mut options, REORDER, &words([scaled(reorder), 0]));
    // struct tc_netem_rate { __u32 rate; __s32 packet_overhead; __u32 cell_size; __s32
    // cell_overhead; }. The rate is in bytes per second; 0 means unlimited.
    let bytes = impairment.rate.unwrap_or(0).saturating_mul(125);
    attribute(&mut options, RATE, &words([bytes, 0, 0, 0]));
    if let Some(seed) = impairment.seed {
        attribute(&mut options, PRNG_SEED, &seed.to_ne_bytes());
    }
    options
}

/// Scales a probability to the range of a `u32`, rounded up, so that 100 % is certain
/// (`netem_enqueue` compares with `>=`). `None` is zero.
fn scaled(share: Option<Percent>) -> u32 {
    let percent = share.map_or(0, |share| u64::from(share.get()));
    u32::try_from((u64::from(u32::MAX) * percent).div_ceil(100)).unwrap_or(u32::MAX)
}

fn nanoseconds(time: Duration) -> [u8; 8] {
    u64::try_from(time.as_nanos())
        .unwrap_or(u64::MAX)
        .to_ne_bytes()
}

fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// struct nlattr { __u16 nla_len, nla_type; }. The length of every value here is a multiple of four
/// bytes, so no padding is needed.
fn attribute(options: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    options.extend(length.to_ne_bytes());
    options.extend(kind.to_ne_bytes());
    options.extend(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_of_100_percent_is_certain() {
        assert_eq!(scaled(None), 0);
        assert_eq!(scaled(Percent::new(50)), 0x8000_0000);
        assert_eq!(scaled(Percent::new(100)), u32::MAX);
    }

    #[test]
    fn an_unset_impairment_is_switched_off() {
        let seedless = options(&Impairment::default());
        // The struct, two times of eight bytes, two words, four words. Each attribute has a header
        // of four bytes.
        assert_eq!(seedless.len(), 24 + 12 + 12 + 12 + 20);
        let seed = Some(7);
        let seeded = options(&Impairment {
            seed,
            ..Impairment::default()
        });
        assert_eq!(seeded[seedless.len()..][..4], [12, 0, 14, 0]);
    }

    #[test]
    fn a_rate_is_in_bytes_a_second() {
        let rate = Some(8);
        let options = options(&Impairment {
            rate,
            ..Impairment::default()
        });
        let rate = &options[options.len() - 16..][..4];
        assert_eq!(rate, 1000_u32.to_ne_bytes());
    }
}
