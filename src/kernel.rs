//! Properties of the running kernel.

use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::model::Hz;

/// The tick rate of the kernel (`CONFIG_HZ`), from its configuration; `None` if the configuration
/// is not available. (`sysconf` and `times(2)` use `USER_HZ`, which is always 100.)
#[must_use]
pub fn hz() -> Option<Hz> {
    embedded_config()
        .or_else(installed_config)
        .as_deref()
        .and_then(Hz::from_config)
}

/// The configuration that the kernel itself contains (`CONFIG_IKCONFIG_PROC`).
fn embedded_config() -> Option<String> {
    let compressed = fs::File::open("/proc/config.gz").ok()?;
    let mut text = String::new();
    GzDecoder::new(compressed).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `uname -r`.
#[must_use]
pub(crate) fn release() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(release.trim().to_owned())
}

/// Whether the kernel is of this series or a later one; `false` if its release is not available.
#[must_use]
pub(crate) fn is_since(series: (u32, u32)) -> bool {
    release().is_some_and(|release| series_of(&release) >= Some(series))
}

/// The first two numbers of a release.
fn series_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The configuration in the places where distributions install it.
fn installed_config() -> Option<String> {
    let release = release()?;
    [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
    ]
    .into_iter()
    .find_map(|path| fs::read_to_string(path).ok())
}

/// The number of frames that the kernel has dropped since boot because a processor's input queue
/// was full (second column of `/proc/net/softnet_stat`; the limit `net.core.netdev_max_backlog`
/// applies to all namespaces). A veth pair passes its frames through that queue. TCP treats such a
/// drop as local congestion: it then sends a keepalive probe again half a second later without
/// counting it (`TCP_RESOURCE_PROBE_INTERVAL`).
#[must_use]
pub(crate) fn backlog_drops() -> u64 {
    fs::read_to_string("/proc/net/softnet_stat")
        .map(|text| sum_of_drops(&text))
        .unwrap_or_default()
}

fn sum_of_drops(softnet_stat: &str) -> u64 {
    let drops = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    softnet_stat.lines().filter_map(drops).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_release_is_of_a_series() {
        assert_eq!(super::series_of("6.1.0-13-amd64"), Some((6, 1)));
        assert_eq!(super::series_of("6.12-rc1+"), Some((6, 12)));
        assert_eq!(super::series_of("unknown"), None);
    }

    #[test]
    fn the_drops_of_all_processors_are_added() {
        let text = "0000a1b2 00000041 00000002 00000000\n00000001 0000000a 00000000 00000000\n";
        assert_eq!(super::sum_of_drops(text), 0x41 + 0xa);
        assert_eq!(super::sum_of_drops(""), 0);
    }
}
