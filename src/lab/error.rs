//! Errors of a lab. Such an error is never a verdict on the kernel: it is an error of the run, or
//! it skips the case.

use std::io;
use std::time::Duration;

use crate::limits::advice;
use crate::model::End;

/// A lab that could not be built or changed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A namespace could not be created or entered.
    #[error(
        "cannot {doing} the network namespace of {node}: {source}{}",
        advice(source)
    )]
    Namespace {
        /// "create", "enter", ...
        doing: &'static str,
        /// The node of the namespace.
        node: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// A netlink request was refused.
    #[error("cannot {doing} in {node}: {source}{}", advice(source))]
    Netlink {
        /// "add address 192.0.2.1/24 to eth0", ...
        doing: String,
        /// The node.
        node: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// A sysctl could not be written.
    #[error(
        "cannot set sysctl {name} = {value} in {node}: {source}{}",
        advice(source)
    )]
    Sysctl {
        /// The name as `sysctl(8)` prints it.
        name: String,
        /// The value that was written.
        value: String,
        /// The node.
        node: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The kernel has no sysctl of that name.
    #[error("this kernel has no sysctl {name}")]
    NoSysctl {
        /// The name as `sysctl(8)` prints it.
        name: String,
    },
    /// A socket could not be created or configured, or `/proc/net` could not be read.
    #[error("cannot {doing} in {node}: {source}{}", advice(source))]
    Socket {
        /// "open a packet socket", "set TCP_KEEPIDLE", ...
        doing: String,
        /// The node.
        node: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The client could not connect across a lab that was up.
    #[error(
        "cannot connect to {address} in {node}: {source}{}{}",
        neighbour_hint(source),
        advice(source)
    )]
    Connect {
        /// The server's address and port.
        address: std::net::SocketAddr,
        /// The node.
        node: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// A link that was set up has no carrier, or its address stays tentative.
    #[error(
        "{interface} in {node} is not usable {} s after it was set up: no carrier, or a tentative address",
        waited.as_secs()
    )]
    NotReady {
        /// The name of the interface.
        interface: String,
        /// The node.
        node: String,
        /// How long the harness waited.
        waited: Duration,
    },
    /// The running kernel lacks something that the case needs.
    #[error("this kernel has no {feature} ({option})")]
    MissingFeature {
        /// The missing feature: "bridge devices".
        feature: &'static str,
        /// The kernel's configuration option for it.
        option: &'static str,
    },
}

/// A feature that a kernel may lack, and the kernel configuration option that enables it, as in
/// [`LabError::MissingFeature`].
pub(super) type Feature = (&'static str, &'static str);

/// Returns a hint for EHOSTUNREACH. In an intact network, this error means that the kernel could
/// not create a neighbour entry (`neigh_alloc`).
fn neighbour_hint(source: &io::Error) -> &'static str {
    if source.raw_os_error() == Some(nix::libc::EHOSTUNREACH) {
        "\n  help: all namespaces share one neighbour table; if the kernel log reports a table overflow, run fewer cases at \
         once (-j) or raise net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3"
    } else {
        ""
    }
}

impl LabError {
    /// Returns the error of a socket call at an end.
    #[must_use]
    pub(crate) fn at_socket(end: End, doing: &str, source: io::Error) -> Self {
        Self::Socket {
            doing: doing.to_owned(),
            node: end.to_string(),
            source,
        }
    }

    /// Returns the errno of a refused netlink request.
    #[must_use]
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Netlink { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    /// Returns the reason to skip the case if the kernel only lacks a feature or a sysctl.
    #[must_use]
    pub(crate) fn skip_reason(&self) -> Option<String> {
        matches!(self, Self::MissingFeature { .. } | Self::NoSysctl { .. })
            .then(|| self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creating(errno: i32) -> String {
        let error = LabError::Namespace {
            doing: "create",
            node: "router".to_owned(),
            source: io::Error::from_raw_os_error(errno),
        };
        error.to_string()
    }

    #[test]
    fn a_reached_limit_is_named_with_its_setting() {
        for (errno, switch) in [
            (nix::libc::EMFILE, "ulimit -Hn"),
            (nix::libc::ENFILE, "fs.file-max"),
            (nix::libc::ENOSPC, "user.max_net_namespaces"),
            (nix::libc::EAGAIN, "kernel.threads-max"),
        ] {
            let text = creating(errno);
            assert!(
                text.contains("of router: ") && text.contains("(-j)"),
                "{text}"
            );
            assert!(text.contains(switch), "{text}");
        }
    }

    #[test]
    fn other_errors_have_no_advice() {
        assert_eq!(creating(nix::libc::EPERM).lines().count(), 1);
    }
}
