//! Encodes tables, chains and rules as the messages of one transaction. Pure.

use netlink_bindings::nftables::{Chained, ChainedFinal, Nfgenmsg, PushNftHookAttrs, SetFlags};
use netlink_bindings::traits::{NetlinkChained, Pusher};
use nix::libc::{
    NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_NETDEV_EGRESS, NF_NETDEV_INGRESS,
    NFNL_SUBSYS_NFTABLES, NFPROTO_INET, NFPROTO_NETDEV,
};

use super::expressions;
use super::rules::{Chain, Hook, Match, Rule, Table, TableFamily};

/// The sequence number of the first message. The others follow in order.
const FIRST: u32 = 1;
/// `NF_IP_PRI_FILTER` (include/uapi/linux/netfilter_ipv4.h): after connection tracking.
const FILTER: i32 = 0;
/// `NF_IP_PRI_NAT_SRC`.
const SOURCE_NAT: i32 = 100;
/// The number of messages that begin and end the transaction. Kernels before 6.10 do not
/// acknowledge them.
const BRACKETS: usize = 2;
/// The kernel replaces `%d` with a free number. Rules of the same transaction refer to the set by
/// its id.
const SET_NAME: &[u8] = b"__set%d";

/// The messages, and a description of each.
pub(super) struct Batch {
    messages: ChainedFinal<'static>,
    requests: Vec<String>,
}

impl Batch {
    /// Returns the messages that add tables with their chains and rules.
    pub(super) fn adding(tables: &[Table]) -> Self {
        let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
        Self::bracketed(&format!("add {}", listed(&names)), |messages, requests| {
            for table in tables {
                let sets = 0;
                Adding {
                    messages,
                    requests,
                    table,
                    sets,
                }
                .all();
            }
        })
    }

    /// Returns the messages that remove tables with their chains and rules.
    pub(super) fn removing(family: TableFamily, names: &[&str]) -> Self {
        Self::bracketed(
            &format!("remove {}", listed(names)),
            |messages, requests| {
                for name in names {
                    requests.push(format!("remove table {name}"));
                    let mut request = messages.request().op_deltable_do(&header(family));
                    drop(request.encode().push_name_bytes(name.as_bytes()));
                }
            },
        )
    }

    fn bracketed(doing: &str, write: impl FnOnce(&mut Chained<'static>, &mut Vec<String>)) -> Self {
        let mut messages = Chained::new(FIRST);
        let mut requests = vec![format!("begin to {doing}")];
        drop(messages.request().op_batch_begin_do(&bracket()));
        write(&mut messages, &mut requests);
        requests.push(format!("finish to {doing}"));
        drop(messages.request().op_batch_end_do(&bracket()));
        Self {
            messages: messages.finalize(),
            requests,
        }
    }

    /// The encoded messages.
    pub(super) fn bytes(&self) -> &[u8] {
        self.messages.payload()
    }

    /// Returns the description of the message with this sequence number.
    pub(super) fn request(&self, sequence: u32) -> Option<&str> {
        let index = self.messages.get_index(sequence)?;
        self.requests.get(index).map(String::as_str)
    }

    /// Returns the number of messages that every kernel acknowledges.
    pub(super) fn to_acknowledge(&self) -> usize {
        self.messages.chain_len() - BRACKETS
    }
}

/// Writes the messages that add one table.
struct Adding<'a> {
    messages: &'a mut Chained<'static>,
    requests: &'a mut Vec<String>,
    table: &'a Table,
    /// The number of sets so far. The id of a set is its number, from 1.
    sets: u32,
}

impl Adding<'_> {
    fn all(mut self) {
        self.table();
        // All chains come before any rule, because a rule may jump to a chain.
        let chains = &self.table.chains;
        chains.iter().for_each(|chain| self.chain(chain));
        for chain in chains {
            for rule in &chain.rules {
                self.rule(chain, rule);
            }
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
        // The sets come first, because the rule refers to them.
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

    /// Adds an anonymous set, which the kernel removes together with its rule.
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
        Hook::Egress(_) => (NF_NETDEV_EGRESS, FILTER),
    };
    let attributes = attributes
        .push_num(number.cast_unsigned())
        .push_priority(priority);
    let (Hook::Ingress(interfaces) | Hook::Egress(interfaces)) = hook else {
        return attributes;
    };
    let mut devices = attributes.nested_devs();
    for interface in interfaces {
        devices = devices.push_name_bytes(interface.as_bytes());
    }
    devices.end_nested()
}

/// Returns a list such as `table mute, table deaf`.
pub(super) fn listed(names: &[&str]) -> String {
    let tables = names.iter().map(|name| format!("table {name}"));
    tables.collect::<Vec<_>>().join(", ")
}

/// Returns the header of a message about a table of this family or about its contents.
fn header(family: TableFamily) -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.nfgen_family = match family {
        TableFamily::Inet => NFPROTO_INET as u8,
        TableFamily::Netdev => NFPROTO_NETDEV as u8,
    };
    header
}

/// Returns the header of the messages that begin and end a transaction, which contains the
/// subsystem.
fn bracket() -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.set_res_id(NFNL_SUBSYS_NFTABLES as u16);
    header
}

#[cfg(test)]
mod tests;
