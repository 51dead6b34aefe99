//! Everything that determines the content of a kernel, apart from its version and the compiler.

use sha2::{Digest, Sha256};

use crate::config::settings;
use crate::edits::edits;
use crate::spec::KernelSpec;

/// The configuration on top of `allnoconfig`.
pub(crate) const FRAGMENT: &str = include_str!("uml.config");

/// The arguments of each `make`, which runs in the directory of the source. The directory `out` and
/// the file `uml.config` lie beside it. Make resolves the path of the latter from within `out`.
pub(crate) const MAKE: [&str; 2] = ["ARCH=um", "O=../out"];

/// The additional arguments that configure the kernel.
pub(crate) const CONFIGURE: [&str; 2] = ["KCONFIG_ALLCONFIG=../uml.config", "allnoconfig"];

/// The only environment variables of `make` besides `PATH` and `TMPDIR`: the user, the host and the
/// time of a build must not change the kernel.
pub(crate) const ENVIRONMENT: [(&str, &str); 4] = [
    ("LC_ALL", "C"),
    ("KBUILD_BUILD_USER", "deadpeer"),
    ("KBUILD_BUILD_HOST", "deadpeer"),
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
];

/// The build spec's fingerprint: eight hexadecimal digits of a hash over all of the above and the
/// edits.
pub(crate) fn fingerprint(spec: KernelSpec) -> String {
    let mut digest = Sha256::new();
    // A zero ends each part, so that different lists of parts never give the same bytes.
    let mut add = |part: &str| {
        digest.update(part);
        digest.update([0]);
    };
    settings(FRAGMENT).for_each(&mut add);
    MAKE.iter().chain(&CONFIGURE).for_each(|part| add(part));
    for (name, value) in ENVIRONMENT {
        add(name);
        add(value);
    }
    for edit in edits(spec) {
        add(edit.path);
        add(edit.old);
        add(&edit.new);
    }
    let bytes = digest.finalize();
    bytes[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Series, Tick};

    fn of(series: Series, tick: Tick) -> String {
        fingerprint(KernelSpec { series, tick })
    }

    #[test]
    fn the_fingerprint_differs_between_ticks_and_build_specs() {
        let one = of(Series::V7_2, Tick::Hz250);
        assert_eq!(one.len(), 8);
        assert_ne!(one, of(Series::V7_2, Tick::Hz100));
        assert_ne!(one, of(Series::V6_12, Tick::Hz250));
    }
}
