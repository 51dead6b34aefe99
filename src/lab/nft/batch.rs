//! Rules to the messages of one transaction. Pure.

use netlink_bindings::nftables::{Chained, ChainedFinal, Nfgenmsg, PushNftHookAttrs, SetFlags};
use netlink_bindings::traits::{NetlinkChained, Pusher};
use nix::libc::{
    NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_NETDEV_INGRESS,
    NFNL_SUBSYS_NFTABLES, NFPROTO_INET, NFPROTO_NETDEV,
};

use super::expressions;
use super::rules::{Chain, Hook, Match, Rule, Table, TableFamily};

/// The number of the first message; the others follow.
const FIRST: u32 = 1;
/// `NF_IP_PRI_FILTER` (include/uapi/linux/netfilter_ipv4.h): after connection tracking.
const FILTER: i32 = 0;
/// `NF_IP_PRI_NAT_SRC`.
const SOURCE_NAT: i32 = 100;
/// The messages that begin and end the transaction, which old kernels do not acknowledge (before 6.10).
const BRACKETS: usize = 2;
/// The kernel finds a number for the place of the `%`; rules of the same transaction know the set by its id.
const SET_NAME: &[u8] = b"__set%d";

/// The messages, and what each asks for.
pub(super) struct Batch {
    messages: ChainedFinal<'static>,
    requests: Vec<String>,
}

impl Batch {
    /// Adds a table with all that is in it.
    pub(super) fn adding(table: &Table) -> Self {
        let mut adding = Adding {
            messages: Chained::new(FIRST),
            requests: Vec::new(),
            table,
            sets: 0,
        };
        adding.bracket(format!("begin to add table {}", table.name), true);
        adding.table();
        // Every chain before any rule, which may jump to it.
        table.chains.iter().for_each(|chain| adding.chain(chain));
        for chain in &table.chains {
            for rule in &chain.rules {
                adding.rule(chain, rule);
            }
        }
        adding.bracket(format!("finish to add table {}", table.name), false);
        Self {
            messages: adding.messages.finalize(),
            requests: adding.requests,
        }
    }

    /// Removes a table with all that is in it.
    pub(super) fn removing(family: TableFamily, name: &str) -> Self {
        let mut messages = Chained::new(FIRST);
        drop(messages.request().op_batch_begin_do(&bracket()));
        let mut request = messages.request().op_deltable_do(&header(family));
        drop(request.encode().push_name_bytes(name.as_bytes()));
        drop(request);
        drop(messages.request().op_batch_end_do(&bracket()));
        let requests = ["begin to remove", "remove", "finish to remove"];
        Self {
            messages: messages.finalize(),
            requests: requests
                .map(|doing| format!("{doing} table {name}"))
                .to_vec(),
        }
    }

    /// As they are sent.
    pub(super) fn bytes(&self) -> &[u8] {
        self.messages.payload()
    }

    /// What the message with this sequence number asks for.
    pub(super) fn request(&self, sequence: u32) -> Option<&str> {
        let index = self.messages.get_index(sequence)?;
        self.requests.get(index).map(String::as_str)
    }

    /// How many messages every kernel acknowledges.
    pub(super) fn to_acknowledge(&self) -> usize {
        self.messages.chain_len() - BRACKETS
    }
}

/// A transaction that is being written.
struct Adding<'a> {
    messages: Chained<'static>,
    requests: Vec<String>,
    table: &'a Table,
    /// So many sets have got an id.
    sets: u32,
}

impl Adding<'_> {
    fn bracket(&mut self, what: String, begins: bool) {
        self.requests.push(what);
        if begins {
            drop(self.messages.request().op_batch_begin_do(&bracket()));
        } else {
            drop(self.messages.request().op_batch_end_do(&bracket()));
        }
    }

    fn table(&mut self) {
        let name = self.table.name;
        self.requests.push(format!("add table {name}"));
        let request = self.messages.request().set_create();
        let mut request = request.op_newtable_do(&header(self.table.family));
        drop(request.encode().push_name_bytes(name.as_bytes()));
    }

    fn chain(&mut self, chain: &Chain) {
        let table = self.table.name;
        self.requests
            .push(format!("add chain {} to table {table}", chain.name));
        let request = self.messages.request().set_create();
        let mut request = request.op_newchain_do(&header(self.table.family));
        let attributes = request
            .encode()
            .push_table_bytes(table.as_bytes())
            .push_name_bytes(chain.name.as_bytes());
        let Some(hook) = &chain.hook else {
            return;
        };
        let kind = match hook {
            Hook::SourceNat => c"nat",
            _ => c"filter",
        };
        let attributes = attributes
            .push_type(kind)
            .push_policy(expressions::code(chain.policy));
        drop(place(attributes.nested_hook(), hook));
    }

    fn rule(&mut self, chain: &Chain, rule: &Rule) {
        let table = self.table.name;
        // The set first, which the rule names.
        for matched in &rule.matches {
            if let Match::Numbered { numbers, .. } = matched {
                self.set(numbers);
            }
        }
        self.requests.push(format!(
            "add rule `{rule}` to chain {} of table {table}",
            chain.name
        ));
        let request = self.messages.request().set_create().set_append();
        let mut request = request.op_newrule_do(&header(self.table.family));
        let mut list = request
            .encode()
            .push_table_bytes(table.as_bytes())
            .push_chain_bytes(chain.name.as_bytes())
            .nested_expressions();
        for matched in &rule.matches {
            list = expressions::matching(list, matched, (SET_NAME, self.sets));
        }
        drop(expressions::verdict(list, rule.verdict));
    }

    /// A set without a name of its own, which goes with its rule.
    fn set(&mut self, numbers: &[u32]) {
        let table = self.table.name;
        self.sets += 1;
        self.requests.push(format!("add a set to table {table}"));
        let request = self.messages.request().set_create();
        let mut request = request.op_newset_do(&header(self.table.family));
        drop(
            request
                .encode()
                .push_table_bytes(table.as_bytes())
                .push_name_bytes(SET_NAME)
                .push_flags(SetFlags::Anonymous as u32 | SetFlags::Constant as u32)
                .push_key_type(0)
                .push_key_len(4)
                .push_id(self.sets),
        );
        drop(request);
        self.requests
            .push(format!("add numbers to a set of table {table}"));
        let request = self.messages.request().set_create();
        let mut request = request.op_newsetelem_do(&header(self.table.family));
        let mut elements = request
            .encode()
            .push_table_bytes(table.as_bytes())
            .push_set_bytes(SET_NAME)
            .push_set_id(self.sets)
            .nested_elements();
        for number in numbers {
            elements = elements
                .nested_elem()
                .nested_key()
                .push_value(&number.to_ne_bytes())
                .end_nested()
                .end_nested();
        }
        drop(elements);
    }
}

fn place<P: Pusher>(attributes: PushNftHookAttrs<P>, hook: &Hook) -> PushNftHookAttrs<P> {
    let (number, priority) = match hook {
        Hook::Forward => (NF_INET_FORWARD, FILTER),
        Hook::Output => (NF_INET_LOCAL_OUT, FILTER),
        Hook::SourceNat => (NF_INET_POST_ROUTING, SOURCE_NAT),
        Hook::Ingress(_) => (NF_NETDEV_INGRESS, FILTER),
    };
    let attributes = attributes
        .push_num(number.cast_unsigned())
        .push_priority(priority);
    let Hook::Ingress(interfaces) = hook else {
        return attributes;
    };
    let mut devices = attributes.nested_devs();
    for interface in interfaces {
        devices = devices.push_name_bytes(interface.as_bytes());
    }
    devices.end_nested()
}

/// Of what stands in a table of this family.
fn header(family: TableFamily) -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.nfgen_family = match family {
        TableFamily::Inet => NFPROTO_INET as u8,
        TableFamily::Netdev => NFPROTO_NETDEV as u8,
    };
    header
}

/// Of the messages that begin and end a transaction: which subsystem it is for.
fn bracket() -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.set_res_id(NFNL_SUBSYS_NFTABLES as u16);
    header
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use netlink_bindings::nftables::{OpBatchBeginDo, OpNewchainDo, OpNewruleDo, OpNewtableDo};
    use rtnetlink::packet_core::NetlinkBuffer;

    use super::super::rules::{Bytes, Header, State, Verdict};
    use super::*;

    fn table() -> Table {
        let rule = |states: &[State], verdict| Rule {
            matches: vec![Match::Tracked(states.to_vec())],
            verdict,
        };
        let known = [State::Established, State::Related];
        let chain = Chain {
            name: "forward",
            hook: Some(Hook::Forward),
            policy: Verdict::Drop,
            rules: vec![
                rule(&known, Verdict::Accept),
                rule(&[State::New], Verdict::Drop),
            ],
        };
        Table {
            name: "filter",
            family: TableFamily::Inet,
            chains: vec![chain],
        }
    }

    /// Each message as the bindings read it: flags 1 is a request, 4 asks for an answer, 0x400 creates, 0x800 appends.
    fn described(batch: &Batch) -> String {
        let mut text = String::new();
        let mut rest = batch.bytes();
        while !rest.is_empty() {
            let message = NetlinkBuffer::new_checked(&rest).unwrap();
            let payload = message.payload();
            let read = match message.message_type() & 0xff {
                0 => format!("{:#?}", OpNewtableDo::decode_request(payload)),
                3 => format!("{:#?}", OpNewchainDo::decode_request(payload)),
                6 => format!("{:#?}", OpNewruleDo::decode_request(payload)),
                _ => format!("{:#?}", OpBatchBeginDo::decode_request(payload)),
            };
            let what = batch.request(message.sequence_number()).unwrap();
            let (kind, flags) = (message.message_type(), message.flags());
            writeln!(text, "{what}: type {kind:#x}, flags {flags:#x}\n{read}").unwrap();
            rest = &rest[message.length() as usize..];
        }
        text
    }

    #[test]
    fn a_table_is_one_transaction() {
        let batch = Batch::adding(&table());
        assert_eq!(batch.to_acknowledge(), 4);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("table", described(&batch));
        });
    }

    #[test]
    fn numbers_stand_in_a_set_of_the_rule() {
        let numbered = Rule {
            matches: vec![
                Match::Protocol(6),
                Match::Leaves(5),
                Match::Bytes(Bytes {
                    header: Header::Transport,
                    offset: 13,
                    mask: vec![7],
                    value: vec![4],
                }),
                Match::Numbered {
                    modulus: 1000,
                    numbers: vec![0, 2],
                },
            ],
            verdict: Verdict::Drop,
        };
        let rule = |verdict| Rule {
            matches: vec![],
            verdict,
        };
        let chain = |name, hook, rules| Chain {
            name,
            hook,
            policy: Verdict::Accept,
            rules,
        };
        let ingress = Hook::Ingress(vec!["eth0".to_owned(), "eth1".to_owned()]);
        let others = vec![
            rule(Verdict::RejectRst),
            rule(Verdict::RejectIcmp(3)),
            rule(Verdict::Masquerade),
            rule(Verdict::Return),
        ];
        let table = Table {
            name: "loss",
            family: TableFamily::Netdev,
            chains: vec![
                chain(
                    "ingress",
                    Some(ingress),
                    vec![rule(Verdict::Jump("caught"))],
                ),
                chain("caught", None, vec![numbered]),
                chain("others", None, others),
            ],
        };
        let batch = Batch::adding(&table);
        assert_eq!(batch.to_acknowledge(), 12);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("numbers", hex_of(&batch));
        });
    }

    /// The bytes, because the bindings read some numbers in another order than they write them.
    fn hex_of(batch: &Batch) -> String {
        let mut text = String::new();
        let mut rest = batch.bytes();
        while !rest.is_empty() {
            let message = NetlinkBuffer::new_checked(&rest).unwrap();
            let what = batch.request(message.sequence_number()).unwrap();
            writeln!(text, "{what}").unwrap();
            for line in message.payload().chunks(32) {
                writeln!(text, "  {}", hex::encode(line)).unwrap();
            }
            rest = &rest[message.length() as usize..];
        }
        text
    }

    #[test]
    fn a_table_is_removed_with_all_that_is_in_it() {
        let batch = Batch::removing(TableFamily::Inet, "filter");
        assert_eq!(batch.to_acknowledge(), 1);
        assert_eq!(batch.request(2), Some("remove table filter"));
    }

    #[test]
    fn an_answer_to_nothing_has_no_request() {
        let batch = Batch::adding(&table());
        assert_eq!(batch.request(0), None);
        assert_eq!(batch.request(7), None);
        let rule = "add rule `ct state new drop` to chain forward of table filter";
        assert_eq!(batch.request(5), Some(rule));
    }
}
