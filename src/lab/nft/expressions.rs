//! Matches and verdicts to the expressions of a rule. Pure.

use netlink_bindings::nftables::{
    CmpOps, CtKeys, MetaKeys, NumgenTypes, PayloadBase, PushExprListAttrs, Registers, RejectTypes,
    VerdictCode,
};
use netlink_bindings::traits::Pusher;

use super::rules::{Bytes, Header, Match, RuleVerdict, State};
use crate::model::Family;

/// The one register that is needed: each match loads it anew.
const REGISTER: u32 = Registers::Reg1 as u32;

/// What leaves the rule unless the match is true. `set` is the name and the id of the set with the
/// rule's numbers.
pub(super) fn matching<P: Pusher>(
    list: PushExprListAttrs<P>,
    matched: &Match,
    set: (&[u8], u32),
) -> PushExprListAttrs<P> {
    match matched {
        Match::Tracked(states) => tracked(list, states),
        Match::Family(family) => equal(
            meta(list, MetaKeys::Protocol),
            &ether_type(*family).to_be_bytes(),
        ),
        Match::Protocol(protocol) => equal(meta(list, MetaKeys::L4Proto), &[*protocol]),
        Match::Leaves(index) => equal(meta(list, MetaKeys::Oif), &index.to_ne_bytes()),
        Match::Bytes(bytes) => self::bytes(list, bytes),
        Match::Numbered { modulus, .. } => numbered(list, *modulus, set),
    }
}

/// What a frame says that it carries (RFC 894, RFC 2464).
fn ether_type(family: Family) -> u16 {
    match family {
        Family::Ipv4 => 0x0800,
        Family::Ipv6 => 0x86dd,
    }
}

fn meta<P: Pusher>(list: PushExprListAttrs<P>, key: MetaKeys) -> PushExprListAttrs<P> {
    list.nested_elem()
        .nested_data_meta()
        .push_dreg(REGISTER)
        .push_key(key as u32)
        .end_nested()
        .end_nested()
}

fn bytes<P: Pusher>(list: PushExprListAttrs<P>, bytes: &Bytes) -> PushExprListAttrs<P> {
    let base = match bytes.header {
        Header::Network => PayloadBase::NetworkHeader,
        Header::Transport => PayloadBase::TransportHeader,
    };
    let list = list
        .nested_elem()
        .nested_data_payload()
        .push_dreg(REGISTER)
        .push_base(base as u32)
        .push_offset(bytes.offset)
        .push_len(u32::try_from(bytes.value.len()).unwrap_or(u32::MAX))
        .end_nested()
        .end_nested();
    equal(masked(list, &bytes.mask), &bytes.value)
}

/// The packet's state as a bit, masked with those asked for, is not zero.
fn tracked<P: Pusher>(list: PushExprListAttrs<P>, states: &[State]) -> PushExprListAttrs<P> {
    let wanted = states.iter().fold(0, |bits, state| bits | bit(*state));
    let list = list
        .nested_elem()
        .nested_data_ct()
        .push_dreg(REGISTER)
        .push_key(CtKeys::State as u32)
        .end_nested()
        .end_nested();
    let list = masked(list, &u32::to_ne_bytes(wanted));
    compared(list, CmpOps::Neq, &u32::to_ne_bytes(0))
}

/// A number that rises by one with each packet, looked up in the rule's set.
fn numbered<P: Pusher>(
    list: PushExprListAttrs<P>,
    modulus: u32,
    (set, id): (&[u8], u32),
) -> PushExprListAttrs<P> {
    list.nested_elem()
        .nested_data_numgen()
        // The bindings write this one, unlike other registers, in the host's byte order.
        .push_dreg(REGISTER.to_be())
        .push_modulus(modulus)
        .push_type(NumgenTypes::Incremental as u32)
        .end_nested()
        .end_nested()
        .nested_elem()
        .nested_data_lookup()
        .push_set_bytes(set)
        // What the bindings take for the id is the register (NFTA_LOOKUP_SREG is 2), and what they
        // take for another register is the id (NFTA_LOOKUP_SET_ID is 4), which they write
        // elsewhere in the host's byte order.
        .push_set_id(REGISTER)
        .push_dreg(id.to_be())
        .end_nested()
        .end_nested()
}

fn masked<P: Pusher>(list: PushExprListAttrs<P>, mask: &[u8]) -> PushExprListAttrs<P> {
    list.nested_elem()
        .nested_data_bitwise()
        .push_sreg(REGISTER)
        .push_dreg(REGISTER)
        .push_len(u32::try_from(mask.len()).unwrap_or(u32::MAX))
        .nested_mask()
        .push_value(mask)
        .end_nested()
        .nested_xor()
        .push_value(&vec![0; mask.len()])
        .end_nested()
        .end_nested()
        .end_nested()
}

fn equal<P: Pusher>(list: PushExprListAttrs<P>, value: &[u8]) -> PushExprListAttrs<P> {
    compared(list, CmpOps::Eq, value)
}

fn compared<P: Pusher>(
    list: PushExprListAttrs<P>,
    how: CmpOps,
    value: &[u8],
) -> PushExprListAttrs<P> {
    list.nested_elem()
        .nested_data_cmp()
        .push_sreg(REGISTER)
        .push_op(how as u32)
        .nested_data()
        .push_value(value)
        .end_nested()
        .end_nested()
        .end_nested()
}

/// `NF_CT_STATE_BIT` of `enum ip_conntrack_info`
/// (include/uapi/linux/netfilter/nf_conntrack_common.h).
fn bit(state: State) -> u32 {
    1 << match state {
        State::Established => 1,
        State::Related => 2,
        State::New => 3,
    }
}

/// The last expression of a rule.
pub(super) fn verdict<P: Pusher>(
    list: PushExprListAttrs<P>,
    verdict: RuleVerdict,
) -> PushExprListAttrs<P> {
    let element = list.nested_elem();
    let rejected = |kind: RejectTypes| kind as u32;
    match verdict {
        RuleVerdict::RejectRst => element
            .nested_data_reject()
            .push_type(rejected(RejectTypes::TcpRst))
            .end_nested()
            .end_nested(),
        RuleVerdict::RejectIcmp(code) => element
            .nested_data_reject()
            .push_type(rejected(RejectTypes::IcmpUnreach))
            .push_icmp_code(code)
            .end_nested()
            .end_nested(),
        // All that could be said of it has a default.
        RuleVerdict::Masquerade => element.push_name(c"masq").end_nested(),
        RuleVerdict::Jump(chain) => element
            .nested_data_immediate()
            .push_dreg(Registers::RegVerdict as u32)
            .nested_data()
            .nested_verdict()
            .push_code(code(verdict))
            .push_chain_bytes(chain.as_bytes())
            .end_nested()
            .end_nested()
            .end_nested()
            .end_nested(),
        RuleVerdict::Accept | RuleVerdict::Drop | RuleVerdict::Return => element
            .nested_data_immediate()
            .push_dreg(Registers::RegVerdict as u32)
            .nested_data()
            .nested_verdict()
            .push_code(code(verdict))
            .end_nested()
            .end_nested()
            .end_nested()
            .end_nested(),
    }
}

/// The kernel's number for a verdict; what is no verdict there but an expression drops.
pub(super) fn code(verdict: RuleVerdict) -> u32 {
    let code = match verdict {
        RuleVerdict::Accept | RuleVerdict::Masquerade => VerdictCode::Accept,
        RuleVerdict::Drop | RuleVerdict::RejectRst | RuleVerdict::RejectIcmp(_) => {
            VerdictCode::Drop
        }
        RuleVerdict::Jump(_) => VerdictCode::Jump,
        RuleVerdict::Return => VerdictCode::Return,
    };
    code as u32
}
