//! Whether a kernel's configuration is the one that was asked for. Kconfig says nothing when it drops a symbol that does not exist, or
//! whose dependencies are not met.

use super::Series;

/// Symbols of the fragment that a series does not have, though it has what they stand for.
const EXCEPTIONS: [(Series, &str); 2] = [
    // Its opposite, BASE_SMALL, which is off, has become the only one.
    (Series::V6_12, "CONFIG_BASE_FULL"),
    (Series::V7_2, "CONFIG_BASE_FULL"),
];

/// The lines of the fragment that say something to Kconfig.
pub(super) fn settings(fragment: &str) -> impl Iterator<Item = &str> {
    fragment
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The lines of the fragment that did not take.
pub(super) fn dropped<'f>(fragment: &'f str, config: &str, series: Series) -> Vec<&'f str> {
    let has = |wanted: &str| config.lines().any(|line| line == wanted);
    let excepted = |wanted: &str| {
        let symbol = wanted.split('=').next().unwrap_or(wanted);
        EXCEPTIONS.contains(&(series, symbol))
    };
    settings(fragment)
        .filter(|line| !has(line) && !excepted(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
#
# Automatically generated file; DO NOT EDIT.
#
CONFIG_VETH=y
# CONFIG_TUN is not set
CONFIG_KERNEL_STACK_ORDER=2
CONFIG_SSL_CHAN=\"null\"
";

    #[test]
    fn what_took_is_not_named() {
        let fragment = "# Links.\nCONFIG_VETH=y\n\nCONFIG_SSL_CHAN=\"null\"\n";
        assert!(dropped(fragment, CONFIG, Series::V6_1).is_empty());
    }

    #[test]
    fn symbols_that_are_off_other_or_unknown_are_named() {
        let fragment = "CONFIG_TUN=y\nCONFIG_KERNEL_STACK_ORDER=3\nCONFIG_VETH=y\nCONFIG_NEW=y\n";
        assert_eq!(
            dropped(fragment, CONFIG, Series::V6_12),
            [
                "CONFIG_TUN=y",
                "CONFIG_KERNEL_STACK_ORDER=3",
                "CONFIG_NEW=y"
            ]
        );
    }

    #[test]
    fn an_exception_holds_for_its_series_alone() {
        let fragment = "CONFIG_BASE_FULL=y\n";
        assert!(dropped(fragment, CONFIG, Series::V6_12).is_empty());
        assert_eq!(
            dropped(fragment, CONFIG, Series::V6_1),
            ["CONFIG_BASE_FULL=y"]
        );
    }
}
