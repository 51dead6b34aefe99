//! Encodes matches and verdicts as the expressions of a rule. Pure.

use netlink_bindings::nftables::{
    CmpOps, CtKeys, MetaKeys, NumgenTypes, PayloadBase, PushExprListAttrs, Registers, RejectTypes,
    VerdictCode,
};
use netlink_bindings::traits::Pusher;

use super::rules::{Bytes, Header, Match, RuleVerdict, State};
use crate::model::Family;

/// The only register that is used: each match loads it again.
const REGISTER: u32 = Registers::Reg1 as u32;

/// Appends the expressions of a match. They end the evaluation of the rule if the match is false.
/// `set` is the name and the id of the set with the rule's numbers.
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

/// Returns the EtherType of a family (RFC 894, RFC 2464).
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

/// Matches if the packet's state, as a bit, is one of the bits of `states`.
fn tracked<P: Pusher>(list: PushExprListAttrs<P>, states: &[State]) -> PushExprListAttrs<P> {
    let mask = states.iter().fold(0, |bits, state| bits | bit(*state));
    let list = list
        .nested_elem()
        .nested_data_ct()
        .push_dreg(REGISTER)
        .push_key(CtKeys::State as u32)
        .end_nested()
        .end_nested();
    let list = masked(list, &u32::to_ne_bytes(mask));
    compared(list, CmpOps::Neq, &u32::to_ne_bytes(0))
}

/// Matches if a number that increases by one with each packet, modulo `modulus`, is in the rule's
/// set.
fn numbered<P: Pusher>(
    list: PushExprListAttrs<P>,
    modulus: u32,
    (set, id): (&[u8], u32),
) -> PushExprListAttrs<P> {
    list.nested_elem()
        .nested_data_numgen()
        // The bindings write this register in host byte order, unlike other registers.
        .push_dreg(REGISTER.to_be())
        .push_modulus(modulus)
        .push_type(NumgenTypes::Incremental as u32)
        .end_nested()
        .end_nested()
        .nested_elem()
        .nested_data_lookup()
        .push_set_bytes(set)
        // The bindings have these two attributes wrong. Their "set id" is the source register
        // (NFTA_LOOKUP_SREG is 2). Their "destination register" is the set id (NFTA_LOOKUP_SET_ID
        // is 4), which they write elsewhere in host byte order.
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
        // All attributes of `masq` have defaults.
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

/// Returns the kernel's number for a verdict. Masquerading and rejecting are expressions in the
/// kernel, not verdicts; they map to accept and drop.
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
