//! The programs and libraries that a build needs, and their Debian packages.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{AccessFlags, access};

/// A program, or the archive of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The name of the program or archive.
    pub name: &'static str,
    /// The Debian package that contains it.
    pub package: &'static str,
}

const fn tool(name: &'static str, package: &'static str) -> Tool {
    Tool { name, package }
}

/// The programs of every build.
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

/// The programs that download the source.
const DOWNLOAD: [Tool; 2] = [tool("apt-get", "apt"), tool("dpkg-deb", "dpkg")];

/// All tools of a build that are not installed; with `download`, also those that download the
/// source.
pub(crate) fn missing(download: bool) -> Vec<Tool> {
    let downloading = if download { &DOWNLOAD[..] } else { &[] };
    let mut missing: Vec<Tool> = PROGRAMS
        .iter()
        .chain(downloading)
        .filter(|tool| installed(tool.name).is_none())
        .copied()
        .collect();
    // Only gcc can find the directories of libraries. Without gcc, the library counts as missing.
    if !has_library(LIBRARY.name) {
        missing.push(LIBRARY);
    }
    missing
}

fn installed(program: &str) -> Option<PathBuf> {
    let dirs = env::var_os("PATH")?;
    env::split_paths(&dirs)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file() && access(path, AccessFlags::X_OK).is_ok())
}

/// gcc prints the full path of a library that it finds, and the bare name otherwise.
fn has_library(name: &str) -> bool {
    let output = Command::new("gcc")
        .arg(format!("-print-file-name={name}"))
        .output();
    output
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_absolute())
}

/// The command that installs the packages of these tools.
pub(crate) fn install_command(missing: &[Tool]) -> String {
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
    fn programs_are_found_in_path() {
        assert!(installed("sh").is_some());
        assert_eq!(installed("no-such-program"), None);
    }

    #[test]
    fn each_package_is_named_once() {
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
