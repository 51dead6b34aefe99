//! Packet filter rules of one namespace (nf_tables), put there in one transaction over netlink.
//!
//! [`rules`] are data, [`batch`] and [`expressions`] make the messages of them; only this file sends anything. The kernel takes a batch as a whole or not
//! at all, within the call that sends it (`nfnetlink_rcv_batch`): its answers are there when that call returns, so nothing is waited for.

mod batch;
mod expressions;
pub(super) mod rules;

use std::io;

use nix::libc::{EAFNOSUPPORT, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT};
use rtnetlink::packet_core::{ErrorBuffer, ErrorMessage, NLMSG_ERROR, NetlinkBuffer, Parseable};
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use rtnetlink::sys::{Socket, SocketAddr};

use self::batch::Batch;
use self::rules::{Table, TableFamily};
use super::error::LabError;

/// Adds a table with all that is in it. Must run on a thread that is inside the namespace of `node`.
///
/// # Errors
/// [`LabError::MissingFeature`] where the kernel knows no such table, chain or expression; [`LabError::Netlink`] for the first request
/// that it refuses for another reason.
pub(super) fn add(node: &str, table: &Table) -> Result<(), LabError> {
    let whole = format!("add table {}", table.name);
    commit((node, table.family), &Batch::adding(table), whole)
}

/// Removes a table with all that is in it. Must run on a thread that is inside the namespace of `node`.
///
/// # Errors
/// [`LabError::Netlink`].
pub(super) fn remove(node: &str, family: TableFamily, name: &str) -> Result<(), LabError> {
    let batch = Batch::removing(family, name);
    commit((node, family), &batch, format!("remove table {name}"))
}

/// Sends one request to another part of netfilter. Must run on a thread that is inside the namespace of `node`.
///
/// # Errors
/// [`LabError::MissingFeature`] where the kernel has no such part, [`LabError::Netlink`] where it refuses.
pub(super) fn request(node: &str, doing: &str, message: &[u8]) -> Result<(), LabError> {
    let told = |_: u32| Some(doing.to_owned());
    let at = (node, TableFamily::Inet);
    exchange(at, message, doing.to_owned(), 1, told)
}

fn commit(at: (&str, TableFamily), batch: &Batch, whole: String) -> Result<(), LabError> {
    let told = |sequence| batch.request(sequence).map(str::to_owned);
    exchange(at, batch.bytes(), whole, batch.to_acknowledge(), told)
}

/// Sends messages of which so many are to be acknowledged; `told` is what the one with a sequence number asks for.
fn exchange(
    at: (&str, TableFamily),
    messages: &[u8],
    whole: String,
    asked: usize,
    told: impl Fn(u32) -> Option<String>,
) -> Result<(), LabError> {
    let failed = |doing: String| move |source| refused(at, doing, source);
    let socket = open().map_err(failed("open a netfilter socket".to_owned()))?;
    let answers = socket
        .send_to(messages, &SocketAddr::new(0, 0), 0)
        .and_then(|_| answers(&socket))
        .map_err(failed(whole.clone()))?;
    let mut acknowledged = 0;
    for answer in answers {
        match answer.refused {
            None => acknowledged += 1,
            Some(source) => {
                let request = told(answer.request).unwrap_or(whole);
                return Err(refused(at, request, source));
            }
        }
    }
    if acknowledged < asked {
        let silent = format!("the kernel acknowledged {acknowledged} of {asked} requests");
        return Err(refused(at, whole, io::Error::other(silent)));
    }
    Ok(())
}

fn refused((node, family): (&str, TableFamily), doing: String, source: io::Error) -> LabError {
    match source.raw_os_error() {
        // No netfilter netlink at all; no nf_tables (nfnetlink_rcv_batch); no table for both families, no filter chain, no such
        // expression (nf_tables_newtable, nft_chain_parse_hook, nft_expr_type_get).
        Some(EPROTONOSUPPORT | EOPNOTSUPP | EAFNOSUPPORT | ENOENT) => {
            let (feature, option) = match family {
                TableFamily::Inet => (
                    "packet filter with connection tracking",
                    "CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET, CONFIG_NFT_CT",
                ),
                TableFamily::Netdev => (
                    "packet filter at interfaces",
                    "CONFIG_NF_TABLES, CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_INGRESS, CONFIG_NETFILTER_EGRESS",
                ),
            };
            LabError::MissingFeature { feature, option }
        }
        _ => LabError::Netlink {
            doing,
            node: node.to_owned(),
            source,
        },
    }
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

/// What the kernel says of one request.
struct Answer {
    /// Its sequence number.
    request: u32,
    /// Why not; `None`: done.
    refused: Option<io::Error>,
}

/// All answers that are there.
fn answers(socket: &Socket) -> io::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    loop {
        let datagram = match socket.recv_from_full() {
            Ok((datagram, _)) => datagram,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(answers),
            Err(error) => return Err(error),
        };
        let garbled = |error| io::Error::other(format!("{error}"));
        let message = NetlinkBuffer::new_checked(&datagram).map_err(garbled)?;
        if message.message_type() != NLMSG_ERROR {
            continue;
        }
        let payload = message.payload();
        let payload = ErrorBuffer::new_checked(&payload).map_err(garbled)?;
        let error = ErrorMessage::parse(&payload).map_err(garbled)?;
        answers.push(Answer {
            request: message.sequence_number(),
            refused: error.code.map(|_| error.to_io()),
        });
    }
}

#[cfg(test)]
mod tests {
    use nix::libc::EPERM;

    use super::*;

    fn told(errno: i32, family: TableFamily) -> LabError {
        let rule = "add rule `ct state new accept` to chain forward of table firewall";
        let source = io::Error::from_raw_os_error(errno);
        refused(("router", family), rule.to_owned(), source)
    }

    #[test]
    fn a_kernel_without_the_feature_is_a_reason_to_skip() {
        for errno in [EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT, ENOENT] {
            for (family, expected) in [
                (TableFamily::Inet, "packet filter with connection tracking"),
                (TableFamily::Netdev, "packet filter at interfaces"),
            ] {
                let reason = told(errno, family).skip_reason().unwrap();
                let expected = format!("this kernel has no {expected} (CONFIG_NF_TABLES, ");
                assert!(reason.starts_with(&expected), "{errno}: {reason}");
            }
        }
    }

    #[test]
    fn another_refusal_names_rule_chain_table_and_node() {
        let error = told(EPERM, TableFamily::Inet);
        assert_eq!(error.skip_reason(), None);
        let expected = "cannot add rule `ct state new accept` to chain forward of table firewall in router: Operation not permitted (os error 1)";
        assert_eq!(error.to_string(), expected);
    }
}
