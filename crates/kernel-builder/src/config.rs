//! Compares a kernel's configuration with the requested one. Kconfig is silent when it drops a
//! symbol that does not exist or whose dependencies are not met.

use crate::spec::Series;

/// Symbols of the fragment that a series lacks although it has the feature.
const EXCEPTIONS: [(Series, &str); 2] = [
    // These series have only its opposite, BASE_SMALL, which is off.
    (Series::V6_12, "CONFIG_BASE_FULL"),
    (Series::V7_2, "CONFIG_BASE_FULL"),
];

/// The lines of the fragment that are neither empty nor comments.
pub(crate) fn settings(fragment: &str) -> impl Iterator<Item = &str> {
    fragment
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The lines of the fragment that the configuration does not contain.
pub(crate) fn dropped<'f>(fragment: &'f str, config: &str, series: Series) -> Vec<&'f str> {
    let has = |setting: &str| config.lines().any(|line| line == setting);
    let excepted = |setting: &str| {
        let symbol = setting.split('=').next().unwrap_or(setting);
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
    fn a_line_of_the_configuration_is_not_dropped() {
        let fragment = "# Links.\nCONFIG_VETH=y\n\nCONFIG_SSL_CHAN=\"null\"\n";
        assert!(dropped(fragment, CONFIG, Series::V6_1).is_empty());
    }

    #[test]
    fn symbols_that_are_off_different_or_unknown_are_dropped() {
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
    fn an_exception_applies_to_its_series_alone() {
        let fragment = "CONFIG_BASE_FULL=y\n";
        assert!(dropped(fragment, CONFIG, Series::V6_12).is_empty());
        assert_eq!(
            dropped(fragment, CONFIG, Series::V6_1),
            ["CONFIG_BASE_FULL=y"]
        );
    }
}
