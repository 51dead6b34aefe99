//! What the running kernel says of itself.

use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::oracle::Hz;

/// The tick that the kernel was built with, from its own configuration; `None` where that is not to be had. (`sysconf` and
/// `times(2)` tell `USER_HZ`, which is always 100.)
#[must_use]
pub fn hz() -> Option<Hz> {
    embedded_config()
        .or_else(installed_config)
        .as_deref()
        .and_then(Hz::from_config)
}

/// `CONFIG_IKCONFIG_PROC`.
fn embedded_config() -> Option<String> {
    let compressed = fs::File::open("/proc/config.gz").ok()?;
    let mut text = String::new();
    GzDecoder::new(compressed).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Where distributions put it.
fn installed_config() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let release = release.trim();
    [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
    ]
    .into_iter()
    .find_map(|path| fs::read_to_string(path).ok())
}
