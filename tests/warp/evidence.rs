//! Evidence of a case that only a guest is certain to record.

use libtest_mimic::{Failed, Trial};

use crate::scenarios::{run, says};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("evidence::why_a_packet_was_dropped_is_told", dropped),
        Trial::test(
            "evidence::what_arrives_is_not_dropped_but_a_probe_is",
            not_dropped,
        ),
    ]
}

fn timeline(case: &str) -> Result<String, Failed> {
    run(&["--warp", "-v", "--filter", case, "scenarios/"], 0)
}

fn dropped() -> Result<(), Failed> {
    let said = timeline("conntrack/load-balancer/ipv4")?;
    says(&said, "router: dropped by nft_do_chain (NETFILTER_DROP)")?;
    let said = timeline("crashed/socket-options/ipv6")?;
    says(&said, "server: dropped by nft_do_chain (NETFILTER_DROP)")
}

/// Data and its acknowledgements are not dropped. A probe is reported as dropped, since the
/// receiver discards it as old before it answers.
fn not_dropped() -> Result<(), Failed> {
    let said = timeline("alive/kernel-defaults/ipv4")?;
    says(&said, "exchange 11 bytes from client")?;
    if said.contains("dropped by") {
        return Err(format!("nothing should have been dropped:\n{said}").into());
    }
    let said = timeline("alive/server-probes/ipv4")?;
    says(
        &said,
        "client: dropped by tcp_validate_incoming (TCP_OLD_SEQUENCE)",
    )
}
