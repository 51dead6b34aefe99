//! The available memory: the least of what the machine has left and what the limits of the control
//! groups leave. The kernel memory of a namespace counts in both, and so does the memory of a
//! guest, which is in an unnamed file.

use std::fs;
use std::path::{Path, PathBuf};

/// The available memory in bytes; `None` if it is unknown.
pub(crate) fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| kilobytes(&text, "MemAvailable:"));
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let groups = read("/proc/self/cgroup");
    let mounts = read("/proc/self/mountinfo");
    let group = VERSIONS
        .iter()
        .filter_map(|version| version.left(&groups, &mounts));
    machine.into_iter().chain(group).min()
}

/// A field of proc_meminfo(5), converted to bytes.
fn kilobytes(text: &str, field: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: u64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// A version of control groups (cgroups(7)). A system may have both versions, with the memory
/// controller in one of them.
struct Version {
    /// The name of the controller in the second field of `/proc/self/cgroup`; empty in version 2.
    controller: &'static str,
    /// The type of its file system.
    kind: &'static str,
    limit: &'static str,
    used: &'static str,
    /// The entry of `memory.stat` for inactive page cache. The kernel reclaims that memory before
    /// it kills a process.
    cached: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version {
        controller: "memory",
        kind: "cgroup",
        limit: "memory.limit_in_bytes",
        used: "memory.usage_in_bytes",
        cached: "total_inactive_file ",
    },
    Version {
        controller: "",
        kind: "cgroup2",
        limit: "memory.max",
        used: "memory.current",
        cached: "inactive_file ",
    },
];

impl Version {
    /// The memory that the tightest limit of the process's control groups leaves, in bytes; `None`
    /// if there is no limit.
    fn left(&self, groups: &str, mounts: &str) -> Option<u64> {
        let own = self.own_group(groups)?;
        let (root, point) = self.mount(mounts)?;
        // In a container, only its own group may be mounted, and the path in the host's hierarchy
        // is not visible.
        let below = own.strip_prefix(root).unwrap_or(Path::new(""));
        self.left_in(Path::new(point), below)
    }

    /// The path of the process's own group, from `/proc/self/cgroup`.
    fn own_group<'t>(&self, groups: &'t str) -> Option<&'t Path> {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let is_its = controllers.split(',').any(|name| name == self.controller);
            is_its.then_some(Path::new(path))
        })
    }

    /// The mounted group and its mount point, from proc_pid_mountinfo(5).
    fn mount<'t>(&self, mounts: &'t str) -> Option<(&'t str, &'t str)> {
        mounts.lines().find_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            let mut place = place.split(' ').skip(3);
            let (root, point) = (place.next()?, place.next()?);
            let mut kind = kind.split(' ');
            let (name, options) = (kind.next()?, kind.nth(1)?);
            let controls = |option| self.controller.is_empty() || option == self.controller;
            let is_its = name == self.kind && options.split(',').any(controls);
            is_its.then_some((root, point))
        })
    }

    /// The least remaining memory of the groups from the mount point down to the process's own
    /// group.
    fn left_in(&self, mount: &Path, own: &Path) -> Option<u64> {
        let groups = own.ancestors().map(|path| mount.join(path));
        groups.filter_map(|group| self.left_of(group)).min()
    }

    /// The remaining memory of one group: the limit minus the memory in use, without page cache.
    fn left_of(&self, group: PathBuf) -> Option<u64> {
        let read = |name| fs::read_to_string(group.join(name)).ok();
        // Without a limit, the value is "max" in version 2, and more than any machine has in
        // version 1.
        let limit: u64 = read(self.limit)?.trim().parse().ok()?;
        let used: u64 = read(self.used)?.trim().parse().ok()?;
        let statistics = read("memory.stat").unwrap_or_default();
        let cached = |line: &str| line.strip_prefix(self.cached)?.parse::<u64>().ok();
        let cached = statistics.lines().find_map(cached).unwrap_or(0);
        Some(limit.saturating_sub(used.saturating_sub(cached)))
    }
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
    fn ones_own_group_is_that_of_the_hierarchy_that_controls_memory() {
        let own = |text| {
            VERSIONS
                .each_ref()
                .map(|version| version.own_group(text).and_then(Path::to_str))
        };
        assert_eq!(
            own("4:cpu,memory:/old\n0::/user.slice/one\n"),
            [Some("/old"), Some("/user.slice/one")]
        );
        assert_eq!(own("0::/\n"), [None, Some("/")]);
        assert_eq!(own("4:memory:/old:new\n"), [Some("/old:new"), None]);
    }

    #[test]
    fn each_version_is_where_it_is_mounted() {
        let mounts = "\
            25 30 0:23 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
            26 25 0:24 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n\
            27 25 0:25 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
            28 25 0:26 /docker/1a /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
        let [old, new] = VERSIONS.each_ref().map(|version| version.mount(mounts));
        assert_eq!(old, Some(("/docker/1a", "/sys/fs/cgroup/memory")));
        assert_eq!(new, Some(("/", "/sys/fs/cgroup/unified")));
    }

    #[test]
    fn the_tightest_limit_above_counts_and_what_is_only_cached_is_free() {
        let names = [
            [
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            ],
            ["memory.max", "memory.current", "inactive_file"],
        ];
        for (version, [limit, used, cached]) in VERSIONS.iter().zip(names) {
            let mount = tempfile::tempdir().unwrap();
            let group = |path: &str, files: &[(&str, &str)]| {
                let folder = mount.path().join(path);
                fs::create_dir_all(&folder).unwrap();
                for (name, content) in files {
                    fs::write(folder.join(name), content).unwrap();
                }
            };
            let controller = version.controller;
            let groups = format!("9:{controller}:/pod/a/b\n");
            let mounts = format!(
                "28 25 0:26 /pod {} rw - {} cgroup rw,{controller}\n",
                mount.path().display(),
                version.kind
            );
            let left = || version.left(&groups, &mounts);
            group("a/b", &[(limit, "max\n"), (used, "1\n")]);
            assert_eq!(left(), None);
            group("a", &[(limit, "900\n"), (used, "600\n")]);
            assert_eq!(left(), Some(300));
            let statistics = format!("anon 5\n{cached} 100\n");
            group("a", &[("memory.stat", &statistics)]);
            assert_eq!(left(), Some(400));
            group("", &[(limit, "500\n"), (used, "700\n")]);
            assert_eq!(left(), Some(0));
        }
    }
}
