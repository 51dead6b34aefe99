//! `recverr`: `IP_RECVERR` or `IPV6_RECVERR`.

use nix::libc;

use super::{EndSetting, SocketOption};
use crate::file::{Key, boolean};
use crate::model::Family;

pub(super) const KEY: Key<bool> = boolean(
    "recverr",
    "`IP_RECVERR` or `IPV6_RECVERR`: ICMP errors are reported at once. Off, if absent.",
);

/// The oracle has no rule for it, because it changes how the kernel handles an ICMP error.
pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.recverr = end.value(&KEY, cx)?.unwrap_or_default();
        Ok(())
    },
    |own| {
        own.recverr
            .then(|| "IP_RECVERR".to_owned())
            .into_iter()
            .collect()
    },
    |own| own.recverr = false,
)
.options(|own, family| own.recverr.then(|| option(family)).into_iter().collect())
.without_rule();

fn option(family: Family) -> SocketOption {
    let (level, name) = match family {
        Family::Ipv4 => (libc::IPPROTO_IP, libc::IP_RECVERR),
        Family::Ipv6 => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    SocketOption::new(level, name, 1)
}
