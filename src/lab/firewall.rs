//! A stateful filter on a node that forwards: one rule, and the settings of connection tracking.

use super::error::LabError;
use super::nft;
use super::nft::rules::{Chain, Hook, Match, Rule, RuleVerdict, State, Table, TableFamily};
use super::node::LabNode;
use super::sysctl::{self, Setting};
use crate::model::{Firewall, TrackingSeconds};

impl LabNode {
    /// Forwards from now on only what belongs to a flow that connection tracking knows, or begins
    /// one.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] where the kernel has no such filter, [`LabError::Netlink`] or
    /// [`LabError::Sysctl`] where it refuses.
    ///
    /// With `nat`, what leaves by the interface `outside` gets its address.
    pub(super) async fn set_firewall(
        &self,
        firewall: Firewall,
        outside: Option<u32>,
    ) -> Result<(), LabError> {
        let node = self.node.to_string();
        let outside = outside.filter(|_| firewall.nat);
        let work = move || {
            // The rule first: where connection tracking is a module, it brings it in, and the
            // settings with it.
            nft::add(&node, &[table(outside)])?;
            let settings = settings(firewall);
            settings
                .iter()
                .try_for_each(|setting| sysctl::write(&node, setting))
        };
        self.namespace.run(work).await
    }
}

/// *Why no match on the SYN flag?* What may begin a flow is up to connection tracking: unless it is
/// loose, a segment from the middle of one is `invalid` to it (`tcp_new`), and that is not among
/// the states here.
fn table(outside: Option<u32>) -> Table {
    let known = vec![State::Established, State::Related, State::New];
    let rule = Rule {
        matches: vec![Match::Tracked(known)],
        verdict: RuleVerdict::Accept,
    };
    let forward = Chain {
        name: "forward",
        hook: Some(Hook::Forward),
        policy: RuleVerdict::Drop,
        rules: vec![rule],
    };
    let masquerade = outside.map(|interface| Chain {
        name: "postrouting",
        hook: Some(Hook::SourceNat),
        policy: RuleVerdict::Accept,
        rules: vec![Rule {
            matches: vec![Match::Leaves(interface)],
            verdict: RuleVerdict::Masquerade,
        }],
    });
    Table {
        name: "firewall",
        family: TableFamily::Inet,
        needs: (
            "packet filter with connection tracking",
            "CONFIG_NF_TABLES_INET, CONFIG_NFT_CT",
        ),
        chains: [Some(forward), masquerade].into_iter().flatten().collect(),
    }
}

fn settings(firewall: Firewall) -> [Setting; 2] {
    let loose = u8::from(firewall.loose).to_string();
    [established(firewall.established), setting("loose", loose)]
}

/// How long an idle flow is known, each from its next segment on.
pub(super) fn established(time: TrackingSeconds) -> Setting {
    setting("timeout_established", time.duration().as_secs().to_string())
}

fn setting(name: &str, value: String) -> Setting {
    (format!("netfilter/nf_conntrack_tcp_{name}"), value)
}
