//! How much memory there is for more: what the machine has left, and what the limits of the control groups leave of it. The kernel's own for
//! a namespace counts in both, and so does what a guest keeps in a file without a name.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the one hierarchy of control groups is mounted (cgroup v2; `file-hierarchy(7)`).
const GROUPS: &str = "/sys/fs/cgroup";

/// In bytes; `None` where nothing tells.
pub(crate) fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| kilobytes(&text, "MemAvailable:"));
    let group = fs::read_to_string("/proc/self/cgroup").ok();
    let group = group.and_then(|text| left_in(Path::new(GROUPS), own_group(&text)?));
    [machine, group].into_iter().flatten().min()
}

/// A field of proc_meminfo(5).
fn kilobytes(text: &str, field: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: u64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The path below the mount (cgroups(7)): the line of hierarchy 0, which alone is version 2.
fn own_group(text: &str) -> Option<&Path> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(path))
}

/// The least that any group from the mount down to one's own has left; `None` where none has a limit.
fn left_in(mount: &Path, own: &Path) -> Option<u64> {
    let groups = own.ancestors().map(|path| mount.join(path));
    groups.filter_map(left_of).min()
}

/// `memory.max` less `memory.current`, of which the kernel takes back what it has only read from files before it kills anybody.
fn left_of(group: PathBuf) -> Option<u64> {
    let read = |name| fs::read_to_string(group.join(name)).ok();
    // "max" where there is no limit.
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    let statistics = read("memory.stat").unwrap_or_default();
    let cached = |line: &str| line.strip_prefix("inactive_file ")?.parse::<u64>().ok();
    let cached = statistics.lines().find_map(cached).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_in_kilobytes() {
        let text = "MemTotal: 24684048 kB\nMemFree: 1 kB\nMemAvailable:   24056552 kB\n";
        let available = |text| kilobytes(text, "MemAvailable:");
        assert_eq!(available(text), Some(24_056_552 * 1024));
        assert_eq!(available("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn ones_own_group_is_that_of_the_one_hierarchy() {
        let own = |text| own_group(text).map(|path| path.display().to_string());
        assert_eq!(
            own("4:memory:/old\n0::/user.slice/one\n").as_deref(),
            Some("user.slice/one")
        );
        assert_eq!(own("0::/\n").as_deref(), Some(""));
        assert_eq!(own("4:memory:/old\n"), None);
    }

    #[test]
    fn the_tightest_limit_above_counts_and_what_is_only_cached_is_free() {
        let mount = tempfile::tempdir().unwrap();
        let group = |path: &str, files: &[(&str, &str)]| {
            let folder = mount.path().join(path);
            fs::create_dir_all(&folder).unwrap();
            for (name, content) in files {
                fs::write(folder.join(name), content).unwrap();
            }
        };
        let left = || left_in(mount.path(), Path::new("a/b"));
        group("a/b", &[("memory.max", "max\n"), ("memory.current", "1\n")]);
        assert_eq!(left(), None);
        group("a", &[("memory.max", "900\n"), ("memory.current", "600\n")]);
        assert_eq!(left(), Some(300));
        group("a", &[("memory.stat", "anon 5\ninactive_file 100\n")]);
        assert_eq!(left(), Some(400));
        group("", &[("memory.max", "500\n"), ("memory.current", "700\n")]);
        assert_eq!(left(), Some(0));
    }
}
