//! What can go wrong with a lab: never a verdict on the kernel, always an error of the run or a
//! skip.

use std::io;
use std::time::Duration;

use crate::limits::advice;
use crate::model::End;

/// A lab that could not be built or changed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A namespace could not be made or entered.
    #[error(
        "cannot {doing} the network namespace of {node}: {source}{}",
        advice(source)
    )]
    Namespace {
        /// "create", "enter", ...
        doing: &'static str,
        /// Whose.
        node: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A netlink request was refused.
    #[error("cannot {doing} in {node}: {source}{}", advice(source))]
    Netlink {
        /// "add address 192.0.2.1/24 to eth0", ...
        doing: String,
        /// Where.
        node: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A sysctl could not be read or written.
    #[error(
        "cannot set sysctl {name} = {value} in {node}: {source}{}",
        advice(source)
    )]
    Sysctl {
        /// As `sysctl` spells it.
        name: String,
        /// What it should have become.
        value: String,
        /// Where.
        node: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel has no sysctl of that name.
    #[error("this kernel has no sysctl {name}")]
    NoSysctl {
        /// As `sysctl` spells it.
        name: String,
    },
    /// A socket could not be made or set.
    #[error("cannot {doing} in {node}: {source}{}", advice(source))]
    Socket {
        /// "open a packet socket", "set TCP_KEEPIDLE", ...
        doing: String,
        /// Where.
        node: String,
        /// The kernel's answer.
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
        /// Where.
        node: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A link that was set up has no carrier, or its address stays tentative.
    #[error(
        "{interface} in {node} is not usable {} s after it was set up: no carrier, or a tentative address",
        waited.as_secs()
    )]
    NotReady {
        /// Which link.
        interface: String,
        /// Where.
        node: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The running kernel lacks something that the case needs.
    #[error("this kernel has no {feature} ({option})")]
    MissingFeature {
        /// What is missing: "bridge devices".
        feature: &'static str,
        /// The kernel's configuration option for it.
        option: &'static str,
    },
}

/// What a kernel may lack, and its configuration's option for it, as in
/// [`LabError::MissingFeature`].
pub(super) type Feature = (&'static str, &'static str);

/// In a whole network this error means that a neighbour entry could not be made (`neigh_alloc`).
fn neighbour_hint(source: &io::Error) -> &'static str {
    if source.raw_os_error() == Some(nix::libc::EHOSTUNREACH) {
        "\n  help: all namespaces share one neighbour table; if the kernel's log says that it overflows, run fewer cases at \
         once (-j) or raise net.ipv4.neigh.default.gc_thresh3 and its ipv6 twin"
    } else {
        ""
    }
}

impl LabError {
    /// An ordinary socket call failed at an end.
    #[must_use]
    pub(crate) fn at_socket(end: End, doing: &str, source: io::Error) -> Self {
        Self::Socket {
            doing: doing.to_owned(),
            node: end.to_string(),
            source,
        }
    }

    /// The errno of a refused netlink request.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Netlink { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    /// The reason to skip the case, where the kernel merely lacks a feature.
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
    fn a_limit_that_is_reached_is_named_with_its_switch() {
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
