//! `nodelay`: `TCP_NODELAY`, which the harness sets on every socket.

use nix::libc;

use super::{EndSetting, SocketOption};
use crate::file::{Key, boolean};

pub(super) const KEY: Key<bool> = boolean(
    "nodelay",
    "`TCP_NODELAY`: a small write is sent at once, and does not wait for the acknowledgement of data in flight (RFC 896). On, if absent.",
);

/// The oracle has no rule for it, because it changes which data is in flight.
pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.nagle = end.value(&KEY, cx)? == Some(false);
        Ok(())
    },
    |own| {
        own.nagle
            .then(|| "TCP_NODELAY off".to_owned())
            .into_iter()
            .collect()
    },
    |own| own.nagle = false,
)
.options(|own, _| {
    let off = SocketOption::new(libc::IPPROTO_TCP, libc::TCP_NODELAY, 0);
    own.nagle.then_some(off).into_iter().collect()
})
.without_rule();
