//! `syn_retries`: `TCP_SYNCNT`.

use nix::libc;

use super::{EndSetting, SocketOption};
use crate::file::{Key, Shape};

/// `MAX_TCP_SYNCNT`.
const MOST: u64 = 127;

pub(super) const KEY: Key<u8> = Key::value(
    "syn_retries",
    Shape::Integer(1, MOST),
    |value, cx| value.integer(1..=MOST, |count| u8::try_from(count).ok(), cx),
    "`TCP_SYNCNT`: the number of SYN retransmissions.",
);

pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.syn_retries = end.value(&KEY, cx)?;
        Ok(())
    },
    |own| {
        let count = own.syn_retries.into_iter();
        count.map(|count| format!("TCP_SYNCNT {count}")).collect()
    },
    |own| own.syn_retries = None,
)
.options(|own, _| {
    let count = own.syn_retries.into_iter();
    count
        .map(|count| SocketOption::new(libc::IPPROTO_TCP, libc::TCP_SYNCNT, count.into()))
        .collect()
});
