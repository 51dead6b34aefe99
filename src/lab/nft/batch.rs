//! Rules to the messages of one transaction. Pure.

use netlink_bindings::nftables::{
    Chained, ChainedFinal, CmpOps, CtKeys, Nfgenmsg, PushExprListAttrs, Registers, VerdictCode,
};
use netlink_bindings::traits::{NetlinkChained, Pusher};
use nix::libc::{NF_INET_FORWARD, NFNL_SUBSYS_NFTABLES, NFPROTO_INET};

use super::rules::{Chain, Hook, Match, Rule, State, Table, Verdict};

/// The number of the first message; the others follow.
const FIRST: u32 = 1;
/// `NF_IP_PRI_FILTER` (include/uapi/linux/netfilter_ipv4.h): after connection tracking.
const PRIORITY: i32 = 0;
/// The messages that begin and end the transaction, which old kernels do not acknowledge (before 6.10).
const BRACKETS: usize = 2;

/// The messages, and what each asks for.
pub(super) struct Batch {
    messages: ChainedFinal<'static>,
    requests: Vec<String>,
}

impl Batch {
    /// Adds a table with all that is in it.
    pub(super) fn adding(table: &Table) -> Self {
        let mut messages = Chained::new(FIRST);
        let mut requests = vec![format!("begin to add table {}", table.name)];
        drop(messages.request().op_batch_begin_do(&bracket()));
        requests.push(format!("add table {}", table.name));
        let mut request = messages.request().set_create().op_newtable_do(&header());
        drop(request.encode().push_name_bytes(table.name.as_bytes()));
        for chain in &table.chains {
            requests.push(format!("add chain {} to table {}", chain.name, table.name));
            add_chain(&mut messages, table, chain);
            for rule in &chain.rules {
                let (chain, table) = (chain.name, table.name);
                requests.push(format!(
                    "add rule `{rule}` to chain {chain} of table {table}"
                ));
                add_rule(&mut messages, table, chain, rule);
            }
        }
        requests.push(format!("finish to add table {}", table.name));
        drop(messages.request().op_batch_end_do(&bracket()));
        let messages = messages.finalize();
        Self { messages, requests }
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

fn add_chain(messages: &mut Chained, table: &Table, chain: &Chain) {
    let hook = match chain.hook {
        Hook::Forward => NF_INET_FORWARD,
    };
    let mut request = messages.request().set_create().op_newchain_do(&header());
    let chain = request
        .encode()
        .push_table_bytes(table.name.as_bytes())
        .push_name_bytes(chain.name.as_bytes())
        .push_type(c"filter")
        .push_policy(code(chain.policy))
        .nested_hook()
        .push_num(hook.cast_unsigned())
        .push_priority(PRIORITY)
        .end_nested();
    drop(chain);
}

fn add_rule(messages: &mut Chained, table: &str, chain: &str, rule: &Rule) {
    let request = messages.request().set_create().set_append();
    let mut request = request.op_newrule_do(&header());
    let mut expressions = request
        .encode()
        .push_table_bytes(table.as_bytes())
        .push_chain_bytes(chain.as_bytes())
        .nested_expressions();
    for Match::Tracked(states) in &rule.matches {
        expressions = tracked(expressions, states);
    }
    let verdict = expressions
        .nested_elem()
        .nested_data_immediate()
        .push_dreg(Registers::RegVerdict as u32)
        .nested_data()
        .nested_verdict()
        .push_code(code(rule.verdict));
    drop(verdict);
}

/// The packet's state as a bit, masked with those asked for, is not zero; else the rule is left.
fn tracked<P: Pusher>(expressions: PushExprListAttrs<P>, states: &[State]) -> PushExprListAttrs<P> {
    let wanted = states.iter().fold(0, |bits, state| bits | bit(*state));
    let register = Registers::Reg1 as u32;
    expressions
        .nested_elem()
        .nested_data_ct()
        .push_dreg(register)
        .push_key(CtKeys::State as u32)
        .end_nested()
        .end_nested()
        .nested_elem()
        .nested_data_bitwise()
        .push_sreg(register)
        .push_dreg(register)
        .push_len(4)
        .nested_mask()
        .push_value(&u32::to_ne_bytes(wanted))
        .end_nested()
        .nested_xor()
        .push_value(&u32::to_ne_bytes(0))
        .end_nested()
        .end_nested()
        .end_nested()
        .nested_elem()
        .nested_data_cmp()
        .push_sreg(register)
        .push_op(CmpOps::Neq as u32)
        .nested_data()
        .push_value(&u32::to_ne_bytes(0))
        .end_nested()
        .end_nested()
        .end_nested()
}

/// `NF_CT_STATE_BIT` of `enum ip_conntrack_info` (include/uapi/linux/netfilter/nf_conntrack_common.h).
fn bit(state: State) -> u32 {
    1 << match state {
        State::Established => 1,
        State::Related => 2,
        State::New => 3,
    }
}

fn code(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Accept => VerdictCode::Accept as u32,
        Verdict::Drop => VerdictCode::Drop as u32,
    }
}

/// Of what stands in a table for both families.
fn header() -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.nfgen_family = NFPROTO_INET as u8;
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

    use super::*;

    fn table() -> Table {
        let rule = |states: &[State], verdict| Rule {
            matches: vec![Match::Tracked(states.to_vec())],
            verdict,
        };
        let known = [State::Established, State::Related];
        let chain = Chain {
            name: "forward",
            hook: Hook::Forward,
            policy: Verdict::Drop,
            rules: vec![
                rule(&known, Verdict::Accept),
                rule(&[State::New], Verdict::Drop),
            ],
        };
        Table {
            name: "filter",
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
    fn an_answer_to_nothing_has_no_request() {
        let batch = Batch::adding(&table());
        assert_eq!(batch.request(0), None);
        assert_eq!(batch.request(7), None);
        let rule = "add rule `ct state new drop` to chain forward of table filter";
        assert_eq!(batch.request(5), Some(rule));
    }
}
