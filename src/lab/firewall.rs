//! A stateful firewall on a router: one rule, and the sysctls of connection tracking.

use super::error::LabError;
use super::nft;
use super::nft::rules::{Chain, Hook, Match, Rule, RuleVerdict, State, Table, TableFamily};
use super::node::LabNode;
use super::sysctl::{self, Setting};
use crate::model::{Firewall, TrackingSeconds};

impl LabNode {
    /// Installs the firewall. The node then forwards only packets that belong to a tracked flow,
    /// are related to one, or start a new flow. With `nat`, packets that leave through the
    /// interface `outside` get the address of that interface as their source.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no such filter, [`LabError::Netlink`] or
    /// [`LabError::Sysctl`] if it refuses the rule or a setting.
    pub(super) async fn set_firewall(
        &self,
        firewall: Firewall,
        outside: Option<u32>,
    ) -> Result<(), LabError> {
        let node = self.node.to_string();
        let outside = outside.filter(|_| firewall.nat);
        let work = move || {
            // Add the rule first: if connection tracking is a module, the rule loads it, and its
            // sysctls appear only then.
            nft::add(&node, &[table(outside)])?;
            let settings = settings(firewall);
            settings
                .iter()
                .try_for_each(|setting| sysctl::write(&node, setting))
        };
        self.namespace.run(work).await
    }
}

/// *Why no match on the SYN flag?* Connection tracking decides which segment may start a flow.
/// Unless it is loose, a segment from the middle of a flow has the state `invalid` (`tcp_new`),
/// which is not among the states here.
fn table(outside: Option<u32>) -> Table {
    let accepted = vec![State::Established, State::Related, State::New];
    let rule = Rule {
        matches: vec![Match::Tracked(accepted)],
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

/// The timeout of an idle, established flow. It applies to each flow from its next segment on.
pub(super) fn established(time: TrackingSeconds) -> Setting {
    setting("timeout_established", time.duration().as_secs().to_string())
}

fn setting(name: &str, value: String) -> Setting {
    (format!("netfilter/nf_conntrack_tcp_{name}"), value)
}
