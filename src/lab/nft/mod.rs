//! Packet filter rules of one namespace (nf_tables), put there in one transaction over netlink.
//!
//! [`rules`] are data, [`batch`] makes the messages of them; only this file sends anything. The kernel takes a batch as a whole or not
//! at all, within the call that sends it (`nfnetlink_rcv_batch`): its answers are there when that call returns, so nothing is waited for.

mod batch;
pub(super) mod rules;

use std::io;

use nix::libc::{EAFNOSUPPORT, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT};
use rtnetlink::packet_core::{ErrorBuffer, ErrorMessage, NLMSG_ERROR, NetlinkBuffer, Parseable};
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use rtnetlink::sys::{Socket, SocketAddr};

use self::batch::Batch;
use self::rules::Table;
use super::error::LabError;

/// What a kernel lacks that refuses a request because it does not know what it is about.
const LACKING: LabError = LabError::MissingFeature {
    feature: "packet filter with connection tracking",
    option: "CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET, CONFIG_NFT_CT",
};

/// Adds a table with all that is in it. Must run on a thread that is inside the namespace of `node`.
///
/// # Errors
/// [`LabError::MissingFeature`] where the kernel knows no such table, chain or expression; [`LabError::Netlink`] for the first request
/// that it refuses for another reason.
pub(super) fn add(node: &str, table: &Table) -> Result<(), LabError> {
    let batch = Batch::adding(table);
    let socket = open().map_err(|source| match source.raw_os_error() {
        Some(EPROTONOSUPPORT) => LACKING,
        _ => LabError::Socket {
            doing: "open a netfilter socket".to_owned(),
            node: node.to_owned(),
            source,
        },
    })?;
    let failed = |request: &str, source| LabError::Netlink {
        doing: request.to_owned(),
        node: node.to_owned(),
        source,
    };
    let kernel = SocketAddr::new(0, 0);
    socket
        .send_to(batch.bytes(), &kernel, 0)
        .map_err(|source| failed(&format!("send rules to table {}", table.name), source))?;
    let mut acknowledged = 0;
    for answer in answers(&socket).map_err(|source| failed("read the kernel's answers", source))? {
        let request = batch.request(answer.request).unwrap_or("add rules");
        match answer.refused {
            None => acknowledged += 1,
            Some(source) => {
                return Err(match source.raw_os_error() {
                    Some(ENOENT | EOPNOTSUPP | EAFNOSUPPORT) => LACKING,
                    _ => failed(request, source),
                });
            }
        }
    }
    if acknowledged < batch.to_acknowledge() {
        let silent = format!(
            "the kernel acknowledged {acknowledged} of {} requests",
            batch.to_acknowledge()
        );
        let doing = format!("add table {}", table.name);
        return Err(failed(&doing, io::Error::other(silent)));
    }
    Ok(())
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
