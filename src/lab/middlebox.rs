//! Packet filter rules on a node between the hosts: filters, packet loss, and suppressed ICMP
//! errors.
//!
//! *Where are packets dropped?* A lost packet is dropped on arrival at the node (netdev ingress),
//! so that the sender's capture contains it and the receiver's capture does not. A filtered packet
//! is dropped where the router would forward it (inet forward), because the router can also send an
//! answer there.

use super::error::{Feature, LabError};
use super::nft;
use super::nft::rules::{
    Bytes, Chain, Header, Hook, Match, Rule, RuleVerdict, State, Table, TableFamily,
};
use super::node::LabNode;
use crate::model::{DRAWN, End, Family, Filter, FilterVerdict, Loss, SERVER_PORT, Segments, Which};

const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

const FILTER: Feature = (
    "packet filter with connection tracking",
    "CONFIG_NF_TABLES_INET, CONFIG_NFT_CT, CONFIG_NFT_REJECT",
);
const LOSS: Feature = (
    "packet filter at interfaces",
    "CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_INGRESS, CONFIG_NFT_NUMGEN",
);

/// The table that drops the ICMP errors about packets that are too large.
const SILENT: &str = "silent";
/// The chain to which the selected segments are sent.
const CAUGHT: &str = "caught";

impl LabNode {
    /// Starts to filter the packets that the node forwards.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no such filter, [`LabError::Netlink`] if it
    /// refuses the rules.
    pub(crate) async fn add_filter(&self, filter: Filter, family: Family) -> Result<(), LabError> {
        self.add_tables([filtering(filter, family)]).await
    }

    /// Removes the filter.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn remove_filter(&self, family: Family) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Inet, [filter_name(family)])
            .await
    }

    /// Starts to drop segments that arrive at these interfaces.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no such filter, [`LabError::Netlink`] if it
    /// refuses the rules.
    pub(crate) async fn add_loss(
        &self,
        loss: &Loss,
        family: Family,
        interfaces: Vec<String>,
    ) -> Result<(), LabError> {
        self.add_tables([losing(loss, family, interfaces)]).await
    }

    /// Ends the loss of segments in this direction.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn remove_loss(&self, to: End, family: Family) -> Result<(), LabError> {
        self.remove_tables(TableFamily::Netdev, [loss_name(to, family)])
            .await
    }

    /// Starts to drop the ICMP errors by which the node reports that a packet is too large.
    ///
    /// # Errors
    /// [`LabError::MissingFeature`] if the kernel has no such filter, [`LabError::Netlink`] if it
    /// refuses the rules.
    pub(crate) async fn silence_too_big(&self) -> Result<(), LabError> {
        self.add_tables([too_big_table()]).await
    }

    pub(super) async fn add_tables<const N: usize>(
        &self,
        tables: [Table; N],
    ) -> Result<(), LabError> {
        let node = self.node.to_string();
        self.namespace.run(move || nft::add(&node, &tables)).await
    }

    pub(super) async fn remove_tables<const N: usize>(
        &self,
        family: TableFamily,
        names: [&'static str; N],
    ) -> Result<(), LabError> {
        let node = self.node.to_string();
        let work = move || nft::remove(&node, family, &names);
        self.namespace.run(work).await
    }
}

fn filtering(filter: Filter, family: Family) -> Table {
    let verdict = match filter.verdict {
        FilterVerdict::Drop => RuleVerdict::Drop,
        FilterVerdict::Rst => RuleVerdict::RejectRst,
        FilterVerdict::Icmp(message) => message
            .code(family)
            .map_or(RuleVerdict::Drop, RuleVerdict::RejectIcmp),
    };
    let both = [End::Server, End::Client];
    let directions = both
        .into_iter()
        .filter(|to| filter.to.is_none_or(|only| only == *to));
    let rules = directions
        .flat_map(|to| catching(family, to, filter.what))
        .collect();
    let caught = vec![rule(vec![], verdict)];
    Table {
        name: filter_name(family),
        family: TableFamily::Inet,
        needs: FILTER,
        chains: vec![
            chain("forward", Some(Hook::Forward), rules),
            chain(CAUGHT, None, caught),
        ],
    }
}

fn losing(loss: &Loss, family: Family, interfaces: Vec<String>) -> Table {
    let which = match (loss.which.numbers(), &loss.which) {
        (None, _) => vec![],
        (Some(numbers), which) => {
            let modulus = match which {
                Which::Fraction { .. } => DRAWN,
                // No case has so many packets, so the count does not wrap.
                _ => u32::MAX,
            };
            // The kernel counts from 0, a scenario from 1.
            let numbers = numbers.iter().map(|number| number - 1).collect();
            vec![Match::Numbered { modulus, numbers }]
        }
    };
    let rules = catching(family, loss.to, loss.what);
    let caught = vec![rule(which, RuleVerdict::Drop)];
    Table {
        name: loss_name(loss.to, family),
        family: TableFamily::Netdev,
        needs: LOSS,
        chains: vec![
            chain("ingress", Some(Hook::Ingress(interfaces)), rules),
            chain(CAUGHT, None, caught),
        ],
    }
}

/// Each address family has its own tables, so that one can be removed while the other stays.
fn filter_name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "filter-ipv4",
        Family::Ipv6 => "filter-ipv6",
    }
}

fn loss_name(to: End, family: Family) -> &'static str {
    match (to, family) {
        (End::Client, Family::Ipv4) => "loss-to-client-ipv4",
        (End::Client, Family::Ipv6) => "loss-to-client-ipv6",
        (End::Server, Family::Ipv4) => "loss-to-server-ipv4",
        (End::Server, Family::Ipv6) => "loss-to-server-ipv6",
    }
}

/// Returns the table that drops the node's own ICMP "fragmentation needed" (3/4) and ICMPv6 "packet
/// too big" (2/0).
fn too_big_table() -> Table {
    let message = |protocol, start: &[u8]| {
        let start = bytes(Header::Transport, 0, &vec![0xff; start.len()], start);
        rule(vec![Match::Protocol(protocol), start], RuleVerdict::Drop)
    };
    let rules = vec![message(ICMP, &[3, 4]), message(ICMPV6, &[2])];
    Table {
        name: SILENT,
        family: TableFamily::Inet,
        needs: FILTER,
        chains: vec![chain("output", Some(Hook::Output), rules)],
    }
}

/// Returns the rules that send the selected segments to the chain [`CAUGHT`].
fn catching(family: Family, to: End, what: Segments) -> Vec<Rule> {
    let flow = |matches: Vec<Match>| {
        let mut all = connection(family, to);
        all.extend(matches);
        all
    };
    let caught = |matches| rule(flow(matches), RuleVerdict::Jump(CAUGHT));
    match what {
        Segments::Any => vec![caught(vec![])],
        Segments::Established => vec![caught(vec![Match::Tracked(vec![State::Established])])],
        Segments::Rst => vec![caught(vec![flags(0x04, 0x04)])],
        Segments::Probes | Segments::Answers => empty(family)
            .map(|[header, length]| caught(vec![flags(0x07, 0), header, length]))
            .collect(),
        Segments::Data => empty(family)
            .map(|shape| rule(flow(shape.into()), RuleVerdict::Return))
            .chain([caught(vec![])])
            .collect(),
    }
}

/// Matches the segments of the connections of one family to one end. Only the server's port is
/// compared, because NAT changes the addresses and the client's port.
fn connection(family: Family, to: End) -> Vec<Match> {
    let offset = match to {
        End::Client => 0,
        End::Server => 2,
    };
    let port = bytes(
        Header::Transport,
        offset,
        &[0xff; 2],
        &SERVER_PORT.to_be_bytes(),
    );
    vec![Match::Family(family), Match::Protocol(TCP), port]
}

/// Matches control bits: FIN 0x01, SYN 0x02, RST 0x04.
fn flags(mask: u8, value: u8) -> Match {
    bytes(Header::Transport, 13, &[mask], &[value])
}

/// Matches a segment without payload: the packet is exactly as long as its IP header and its TCP
/// header. There is one pair of matches for each length that the TCP header can have, because a
/// rule cannot subtract. (No segment here has IP options.)
fn empty(family: Family) -> impl Iterator<Item = [Match; 2]> {
    (5..=15_u8).map(move |words| {
        let length = u16::from(words) * 4;
        let packet = match family {
            // The total length, with the 20 bytes of the IP header.
            Family::Ipv4 => bytes(Header::Network, 2, &[0xff; 2], &(length + 20).to_be_bytes()),
            // The payload length.
            Family::Ipv6 => bytes(Header::Network, 4, &[0xff; 2], &length.to_be_bytes()),
        };
        [bytes(Header::Transport, 12, &[0xf0], &[words << 4]), packet]
    })
}

fn bytes(header: Header, offset: u32, mask: &[u8], value: &[u8]) -> Match {
    Match::Bytes(Bytes {
        header,
        offset,
        mask: mask.to_vec(),
        value: value.to_vec(),
    })
}

fn rule(matches: Vec<Match>, verdict: RuleVerdict) -> Rule {
    Rule { matches, verdict }
}

fn chain(name: &'static str, hook: Option<Hook>, rules: Vec<Rule>) -> Chain {
    Chain {
        name,
        hook,
        policy: RuleVerdict::Accept,
        rules,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule_texts(table: &Table) -> Vec<String> {
        let rules = |chain: &Chain| {
            let rules = chain.rules.iter();
            rules
                .map(|rule| format!("{}: {rule}", chain.name))
                .collect::<Vec<_>>()
        };
        table.chains.iter().flat_map(rules).collect()
    }

    fn loss(what: Segments, which: Which) -> Loss {
        let to = End::Client;
        Loss { to, what, which }
    }

    #[test]
    fn an_answer_is_empty_whatever_options_it_has() {
        let third = loss(Segments::Answers, Which::Nth(vec![3]));
        let table = losing(&third, Family::Ipv4, vec!["eth0".to_owned()]);
        let rules = rule_texts(&table);
        // From the server's port (7777 is 0x1e61); without FIN, SYN and RST; a TCP header of 8
        // words (with timestamps), and 20 bytes of IP header.
        let with_timestamps = "ingress: meta protocol ip meta l4proto 6 @th,0,16 & 0xffff == 0x1e61 @th,104,8 & 0x07 == 0x00 \
                               @th,96,8 & 0xf0 == 0x80 @nh,16,16 & 0xffff == 0x0034 jump caught";
        assert!(
            rules.iter().any(|rule| rule == with_timestamps),
            "{rules:#?}"
        );
        assert_eq!(rules.len(), 12);
        // The kernel counts from 0.
        let numbers = vec![2];
        let modulus = u32::MAX;
        assert_eq!(
            table.chains[1].rules[0].matches,
            [Match::Numbered { modulus, numbers }]
        );
    }

    #[test]
    fn data_is_every_segment_that_is_not_empty() {
        let data = loss(Segments::Data, Which::All);
        let rules = rule_texts(&losing(&data, Family::Ipv6, vec!["eth0".to_owned()]));
        let (returned, rest) = rules.split_at(11);
        assert!(
            returned.iter().all(|rule| rule.ends_with(" return")),
            "{rules:#?}"
        );
        assert!(returned[3].contains("@th,96,8 & 0xf0 == 0x80 @nh,32,16 & 0xffff == 0x0020"));
        let flow = "meta protocol ip6 meta l4proto 6 @th,0,16 & 0xffff == 0x1e61";
        assert_eq!(
            rest,
            [
                format!("ingress: {flow} jump caught"),
                "caught: drop".to_owned()
            ]
        );
    }

    #[test]
    fn a_filter_without_a_direction_matches_both() {
        let filter = Filter {
            to: None,
            what: Segments::Rst,
            verdict: FilterVerdict::Rst,
        };
        let rules = rule_texts(&filtering(filter, Family::Ipv4));
        let ports = [
            "@th,16,16 & 0xffff == 0x1e61",
            "@th,0,16 & 0xffff == 0x1e61",
        ];
        for (rule, port) in rules.iter().zip(ports) {
            assert!(rule.contains(port), "{rule}");
            assert!(rule.contains("@th,104,8 & 0x04 == 0x04"), "{rule}");
        }
        assert_eq!(rules[2], "caught: reject with tcp reset");
    }
}
