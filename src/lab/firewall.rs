//! A stateful filter on a node that forwards: one rule, and the settings of connection tracking.

use super::error::LabError;
use super::nft;
use super::nft::rules::{Chain, Hook, Match, Rule, State, Table, Verdict};
use super::node::LabNode;
use super::sysctl::{self, Setting};
use crate::scenario::model::Firewall;

impl LabNode {
    /// Forwards from now on only what belongs to a flow that connection tracking knows, or begins one.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] where the kernel has no such filter, [`LabError::Netlink`] or [`LabError::Sysctl`] where it refuses.
    pub(super) async fn set_firewall(&self, firewall: Firewall) -> Result<(), LabError> {
        let node = self.node.to_string();
        let work = move || {
            // The rule first: where connection tracking is a module, it brings it in, and the settings with it.
            nft::add(&node, &table())?;
            let settings = settings(firewall);
            settings
                .iter()
                .try_for_each(|setting| sysctl::write(&node, setting))
        };
        self.namespace.run(work).await
    }
}

/// *Why no match on the SYN flag?* What may begin a flow is up to connection tracking: unless it is loose, a segment from the middle of one
/// is `invalid` to it (`tcp_new`), and that is not among the states here.
fn table() -> Table {
    let known = vec![State::Established, State::Related, State::New];
    let rule = Rule {
        matches: vec![Match::Tracked(known)],
        verdict: Verdict::Accept,
    };
    let forward = Chain {
        name: "forward",
        hook: Hook::Forward,
        policy: Verdict::Drop,
        rules: vec![rule],
    };
    Table {
        name: "firewall",
        chains: vec![forward],
    }
}

fn settings(firewall: Firewall) -> [Setting; 2] {
    let setting = |name, value| (format!("netfilter/nf_conntrack_tcp_{name}"), value);
    [
        setting(
            "timeout_established",
            firewall.established.duration().as_secs().to_string(),
        ),
        setting("loose", u8::from(firewall.loose).to_string()),
    ]
}
