//! Packet filter rules of one namespace (nf_tables), installed in one transaction over netlink.
//!
//! [`rules`] contains the rules as data, [`batch`] and [`expressions`] encode them as messages, and
//! only this file sends messages. The kernel applies a batch completely or not at all, within the
//! call that sends it (`nfnetlink_rcv_batch`). Its answers are queued when that call returns, so
//! there is nothing to wait for.

mod batch;
mod expressions;
pub(super) mod rules;

use std::io;

use nix::libc::{EAFNOSUPPORT, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT};
use rtnetlink::packet_core::{ErrorBuffer, ErrorMessage, NLMSG_ERROR, NetlinkBuffer, Parseable};
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use rtnetlink::sys::{Socket, SocketAddr};
use tokio::runtime::Handle;

use self::batch::{Batch, listed};
use self::rules::{Table, TableFamily};
use super::error::{Feature, LabError};

/// Adds tables with their chains and rules in one transaction. Must run on a thread that is inside
/// the namespace of `node`.
///
/// # Errors
/// [`LabError::MissingFeature`] if the kernel does not support a table, chain or expression;
/// [`LabError::Netlink`] for the first request that it refuses for another reason.
pub(super) fn add(node: &str, tables: &[Table]) -> Result<(), LabError> {
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    let whole = format!("add {}", listed(&names));
    let needs = tables.first().map(|table| table.needs);
    commit((node, needs), &Batch::adding(tables), whole)
}

/// Removes tables with their chains and rules in one transaction. Must run on a thread that is
/// inside the namespace of `node`.
///
/// # Errors
/// [`LabError::Netlink`].
pub(super) fn remove(node: &str, family: TableFamily, names: &[&str]) -> Result<(), LabError> {
    let whole = format!("remove {}", listed(names));
    commit((node, None), &Batch::removing(family, names), whole)
}

/// Sends one request to another subsystem of netfilter. Must run on a thread that is inside the
/// namespace of `node`.
///
/// # Errors
/// [`LabError::MissingFeature`] if the kernel does not have the subsystem, [`LabError::Netlink`] if
/// it refuses the request.
pub(super) fn request(
    (node, needs): (&str, Feature),
    doing: &str,
    message: &[u8],
) -> Result<(), LabError> {
    let describe = |_: u32| Some(doing.to_owned());
    exchange((node, Some(needs)), message, doing.to_owned(), 1, describe)
}

fn commit(asking: (&str, Option<Feature>), batch: &Batch, whole: String) -> Result<(), LabError> {
    let describe = |sequence| batch.request(sequence).map(str::to_owned);
    exchange(
        asking,
        batch.bytes(),
        whole,
        batch.to_acknowledge(),
        describe,
    )
}

/// Sends messages and expects `expected` acknowledgements. `describe` returns the description of
/// the request with a sequence number; `whole` describes all of them.
fn exchange(
    asking: (&str, Option<Feature>),
    messages: &[u8],
    whole: String,
    expected: usize,
    describe: impl Fn(u32) -> Option<String>,
) -> Result<(), LabError> {
    let failed = |doing: String| move |source| refused(asking, doing, source);
    let session = Session::open().map_err(failed("open a netfilter socket".to_owned()))?;
    let answers = session
        .answers_to(messages)
        .map_err(failed(whole.clone()))?;
    let mut acknowledged = 0;
    for answer in answers {
        match answer.refused {
            None => acknowledged += 1,
            Some(source) => {
                let request = describe(answer.request).unwrap_or(whole);
                return Err(refused(asking, request, source));
            }
        }
    }
    if acknowledged < expected {
        let missing = format!("the kernel acknowledged {acknowledged} of {expected} requests");
        return Err(refused(asking, whole, io::Error::other(missing)));
    }
    Ok(())
}

/// Converts a refusal to an error. With `needs`, an errno of an unsupported request means a missing
/// feature. A request to remove something has no `needs`, because what it removes was supported
/// before.
fn refused((node, needs): (&str, Option<Feature>), doing: String, source: io::Error) -> LabError {
    match (source.raw_os_error(), needs) {
        // The causes: no netfilter netlink at all; no nf_tables (nfnetlink_rcv_batch); no inet
        // tables, no filter chains, or no such expression (nf_tables_newtable,
        // nft_chain_parse_hook, nft_expr_type_get).
        (Some(EPROTONOSUPPORT | EOPNOTSUPP | EAFNOSUPPORT | ENOENT), Some((feature, option))) => {
            LabError::MissingFeature { feature, option }
        }
        _ => LabError::Netlink {
            doing,
            node: node.to_owned(),
            source,
        },
    }
}

/// A netfilter socket for one exchange.
///
/// Closing the socket may wait for an RCU grace period, tens of milliseconds, until removed objects
/// are freed (`nft_rcv_nl_event`, `nf_tables_trans_destroy_work`). The removal has taken effect
/// before, so a blocking task closes the socket and nothing waits for it.
struct Session(Option<Socket>);

/// The kernel's answer to one request.
struct Answer {
    /// Its sequence number.
    request: u32,
    /// The error of a refused request; `None` if it succeeded.
    refused: Option<io::Error>,
}

impl Session {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        Ok(Self(Some(socket)))
    }

    /// Sends the messages and returns all answers that are queued after that.
    fn answers_to(&self, messages: &[u8]) -> io::Result<Vec<Answer>> {
        let mut answers = Vec::new();
        let Some(socket) = &self.0 else {
            return Ok(answers);
        };
        socket.send_to(messages, &SocketAddr::new(0, 0), 0)?;
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
}

impl Drop for Session {
    fn drop(&mut self) {
        if let (Some(socket), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(socket));
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::libc::EPERM;

    use super::*;

    const NEEDS: Feature = ("packet filter", "CONFIG_NF_TABLES");

    fn error_for(errno: i32, needs: Option<Feature>) -> LabError {
        let rule = "add rule `ct state new accept` to chain forward of table firewall";
        let source = io::Error::from_raw_os_error(errno);
        refused(("router", needs), rule.to_owned(), source)
    }

    #[test]
    fn a_kernel_without_the_feature_is_a_reason_to_skip() {
        for errno in [EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT, ENOENT] {
            let reason = error_for(errno, Some(NEEDS)).skip_reason().unwrap();
            let expected = "this kernel has no packet filter (CONFIG_NF_TABLES)";
            assert_eq!(reason, expected, "{errno}");
            // What a request removes was supported before.
            assert_eq!(error_for(errno, None).skip_reason(), None, "{errno}");
        }
    }

    #[test]
    fn another_refusal_names_rule_chain_table_and_node() {
        let error = error_for(EPERM, Some(NEEDS));
        assert_eq!(error.skip_reason(), None);
        let expected = "cannot add rule `ct state new accept` to chain forward of table firewall in router: Operation not permitted (os error 1)";
        assert_eq!(error.to_string(), expected);
    }
}
