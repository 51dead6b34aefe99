//! Counts the open socket descriptors of one end in the descriptor table of the process.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;

use nix::sys::stat::fstat;

/// All sockets that one end has ever had, by the inodes that identify them in `/proc/self/fd`.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    inodes: BTreeSet<u64>,
}

impl Sockets {
    /// Adds one socket.
    pub(super) fn add(&mut self, socket: &impl AsFd) -> io::Result<()> {
        self.inodes.insert(fstat(socket)?.st_ino);
        Ok(())
    }

    /// The number of open descriptors of these sockets.
    pub(super) fn count_open(&self) -> io::Result<usize> {
        let mut open = 0;
        for entry in std::fs::read_dir("/proc/self/fd")? {
            // A descriptor may be closed between readdir(3) and readlink(2).
            let Ok(target) = std::fs::read_link(entry?.path()) else {
                continue;
            };
            let inode = target.to_str().and_then(|text| {
                text.strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .parse()
                    .ok()
            });
            open += usize::from(inode.is_some_and(|inode| self.inodes.contains(&inode)));
        }
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_closed_socket_is_not_counted_and_an_open_one_is() {
        let (near, far) = UnixStream::pair().unwrap();
        let mut sockets = Sockets::default();
        sockets.add(&near).unwrap();
        sockets.add(&far).unwrap();
        assert_eq!(sockets.count_open().unwrap(), 2);
        drop(far);
        assert_eq!(sockets.count_open().unwrap(), 1);
    }
}
