//! The neighbour tables of the kernel: one for each address family. All namespaces of a machine
//! share them (`arp_tbl`, `nd_tbl`).

use futures::StreamExt;
use netlink_packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableConfig, NeighbourTableMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::Handle;
use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use tokio::task::AbortHandle;

use crate::model::Family;

/// The fill level of a neighbour table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill {
    /// The current number of entries in all namespaces.
    pub(crate) entries: u32,
    /// The limit: `net.ipv4.neigh.default.gc_thresh3` or its IPv6 equivalent. Above it, the kernel
    /// deletes other entries, or refuses new ones and drops the packets that need them
    /// (`neigh_alloc`).
    pub(crate) most: u32,
    /// The number of refused entries since the machine started.
    pub(crate) refused: u64,
}

/// A connection that reads the fill levels. The kernel reports the size of the whole table in every
/// namespace, without any privilege.
#[derive(Debug)]
pub(crate) struct NeighbourTables {
    handle: Handle,
    connection: AbortHandle,
}

impl NeighbourTables {
    /// Opens the connection. Returns `None` if no rtnetlink socket can be opened; the next build of
    /// a lab then reports the cause.
    #[must_use]
    pub(crate) fn open(netlink: &tokio::runtime::Handle) -> Option<Self> {
        let (connection, handle, _) = rtnetlink::new_connection().ok()?;
        let connection = netlink.spawn(connection).abort_handle();
        Some(Self { handle, connection })
    }

    /// Returns the fill level of the table of one family, or `None` if the kernel does not report
    /// it.
    pub(crate) async fn fill(&self, family: Family) -> Option<Fill> {
        let mut request = NeighbourTableMessage::default();
        request.header.family = match family {
            Family::Ipv4 => AddressFamily::Inet,
            Family::Ipv6 => AddressFamily::Inet6,
        };
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbourTable(request));
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut answers = self.handle.clone().request(request).ok()?;
        let mut level = None;
        // Read all answers: an unread one would stay in the socket.
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbourTable(table)) =
                answer.payload
            {
                level = level.or_else(|| fill(&table));
            }
        }
        level
    }
}

impl Drop for NeighbourTables {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Decodes the message about the table itself. Returns `None` for the messages about interfaces,
/// which do not contain the size (`neightbl_fill_param_info`).
fn fill(table: &NeighbourTableMessage) -> Option<Fill> {
    let config = |attribute: &NeighbourTableAttribute| match attribute {
        NeighbourTableAttribute::Config(NeighbourTableConfig { entries, .. }) => Some(*entries),
        _ => None,
    };
    let most = |attribute: &NeighbourTableAttribute| match attribute {
        NeighbourTableAttribute::Threshold3(most) => Some(*most),
        _ => None,
    };
    let refused = |attribute: &NeighbourTableAttribute| match attribute {
        NeighbourTableAttribute::Stats(stats) => Some(stats.table_fulls),
        _ => None,
    };
    let attributes = table.attributes.iter();
    Some(Fill {
        entries: attributes.clone().find_map(config)?,
        most: attributes.clone().find_map(most)?,
        refused: attributes.clone().find_map(refused).unwrap_or(0),
    })
}
