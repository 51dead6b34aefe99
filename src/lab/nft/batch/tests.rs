use std::fmt::Write;

use netlink_bindings::nftables::{OpBatchBeginDo, OpNewchainDo, OpNewruleDo, OpNewtableDo};
use rtnetlink::packet_core::NetlinkBuffer;

use super::super::rules::{Bytes, Header, RuleVerdict, State};
use super::*;
use crate::lab::error::Feature;

const NEEDS: Feature = ("packet filter", "CONFIG_NF_TABLES");

fn table() -> Table {
    let rule = |states: &[State], verdict| Rule {
        matches: vec![Match::Tracked(states.to_vec())],
        verdict,
    };
    let known = [State::Established, State::Related];
    let chain = Chain {
        name: "forward",
        hook: Some(Hook::Forward),
        policy: RuleVerdict::Drop,
        rules: vec![
            rule(&known, RuleVerdict::Accept),
            rule(&[State::New], RuleVerdict::Drop),
        ],
    };
    Table {
        name: "filter",
        family: TableFamily::Inet,
        needs: NEEDS,
        chains: vec![chain],
    }
}

/// Returns each message as the bindings decode it. In the flags, 1 is a request, 4 requests an
/// acknowledgement, 0x400 creates, 0x800 appends.
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
    let batch = Batch::adding(&[table()]);
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
        verdict: RuleVerdict::Drop,
    };
    let rule = |verdict| Rule {
        matches: vec![],
        verdict,
    };
    let chain = |name, hook, rules| Chain {
        name,
        hook,
        policy: RuleVerdict::Accept,
        rules,
    };
    let ingress = Hook::Ingress(vec!["eth0".to_owned(), "eth1".to_owned()]);
    let others = vec![
        rule(RuleVerdict::RejectRst),
        rule(RuleVerdict::RejectIcmp(3)),
        rule(RuleVerdict::Masquerade),
        rule(RuleVerdict::Return),
    ];
    let table = Table {
        name: "loss",
        family: TableFamily::Netdev,
        needs: NEEDS,
        chains: vec![
            chain(
                "ingress",
                Some(ingress),
                vec![rule(RuleVerdict::Jump("caught"))],
            ),
            chain("caught", None, vec![numbered]),
            chain("others", None, others),
        ],
    };
    let batch = Batch::adding(&[table]);
    assert_eq!(batch.to_acknowledge(), 12);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("numbers", hex_of(&batch));
    });
}

/// Returns the bytes, because the bindings read some numbers in another byte order than they write
/// them.
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
fn tables_are_removed_in_one_transaction() {
    let batch = Batch::removing(TableFamily::Inet, &["filter", "other"]);
    assert_eq!(batch.to_acknowledge(), 2);
    assert_eq!(
        batch.request(1),
        Some("begin to remove table filter, table other")
    );
    assert_eq!(batch.request(2), Some("remove table filter"));
    assert_eq!(batch.request(3), Some("remove table other"));
}

#[test]
fn an_answer_to_nothing_has_no_request() {
    let batch = Batch::adding(&[table()]);
    assert_eq!(batch.request(0), None);
    assert_eq!(batch.request(7), None);
    let rule = "add rule `ct state new drop` to chain forward of table filter";
    assert_eq!(batch.request(5), Some(rule));
}
