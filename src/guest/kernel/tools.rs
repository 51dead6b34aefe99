//! The programs that a build needs, and the Debian packages that bring them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{AccessFlags, access};

/// A program, or a library's archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// The package that brings it.
    pub package: &'static str,
}

const fn tool(name: &'static str, package: &'static str) -> Tool {
    Tool { name, package }
}

/// What no build can do without.
const PROGRAMS: [Tool; 10] = [
    tool("gcc", "gcc"),
    tool("ld", "binutils"),
    tool("strip", "binutils"),
    tool("make", "make"),
    tool("flex", "flex"),
    tool("bison", "bison"),
    tool("bc", "bc"),
    tool("m4", "m4"),
    tool("tar", "tar"),
    tool("xz", "xz-utils"),
];

/// The kernel is linked statically.
const LIBRARY: Tool = tool("libc.a", "libc6-dev");

/// To get the source from apt.
const DOWNLOAD: [Tool; 2] = [tool("apt-get", "apt"), tool("dpkg-deb", "dpkg")];

/// What is not there of what the build needs; with what it needs to download the source, if it will.
pub(super) fn missing(download: bool) -> Vec<Tool> {
    let downloading = if download { &DOWNLOAD[..] } else { &[] };
    let mut missing: Vec<Tool> = PROGRAMS
        .iter()
        .chain(downloading)
        .filter(|tool| installed(tool.name).is_none())
        .copied()
        .collect();
    // Without gcc, nobody knows where libraries lie: its package is named as well, in case.
    if !has_library(LIBRARY.name) {
        missing.push(LIBRARY);
    }
    missing
}

fn installed(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file() && access(path, AccessFlags::X_OK).is_ok())
}

/// gcc prints the full path of a library that it finds, and the bare name of one that it does not.
fn has_library(name: &str) -> bool {
    let asked = Command::new("gcc")
        .arg(format!("-print-file-name={name}"))
        .output();
    asked
        .is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}

/// The command that installs them.
pub(super) fn install_command(missing: &[Tool]) -> String {
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    format!(
        "sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_searched_for_in_path() {
        assert!(installed("sh").is_some());
        assert_eq!(installed("no-such-program"), None);
    }

    #[test]
    fn each_package_is_installed_once() {
        let missing = [
            tool("ld", "binutils"),
            tool("bc", "bc"),
            tool("strip", "binutils"),
        ];
        assert_eq!(
            install_command(&missing),
            "sudo apt-get install --no-install-recommends bc binutils"
        );
    }
}
