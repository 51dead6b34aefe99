//! The neighbour tables: one for each family, which all namespaces of a machine share (`arp_tbl`,
//! `nd_tbl`).

use futures::StreamExt;
use netlink_packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableConfig, NeighbourTableMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::Handle;
use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use tokio::task::AbortHandle;

use crate::model::Family;

/// How full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill {
    /// What there is now, in all namespaces.
    pub entries: u32,
    /// `net.ipv4.neigh.default.gc_thresh3` or its IPv6 namesake. Beyond it the kernel forgets
    /// others' entries, or refuses new ones and drops the packets that need them
    /// (`neigh_alloc`).
    pub most: u32,
    /// How often it has refused one since the machine started.
    pub refused: u64,
}

/// A view of them. The tables tell their whole size in every namespace, and without any privilege.
#[derive(Debug)]
pub(crate) struct NeighbourTables {
    handle: Handle,
    connection: AbortHandle,
}

impl NeighbourTables {
    /// `None` where there is no rtnetlink socket to be had: whoever builds a lab next is told why.
    #[must_use]
    pub(crate) fn open(netlink: &tokio::runtime::Handle) -> Option<Self> {
        let (connection, handle, _) = rtnetlink::new_connection().ok()?;
        let connection = netlink.spawn(connection).abort_handle();
        Some(Self { handle, connection })
    }

    /// `None` where the kernel does not tell.
    pub(crate) async fn fill(&self, family: Family) -> Option<Fill> {
        let mut ask = NeighbourTableMessage::default();
        ask.header.family = match family {
            Family::Ipv4 => AddressFamily::Inet,
            Family::Ipv6 => AddressFamily::Inet6,
        };
        let mut ask = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbourTable(ask));
        ask.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut answers = self.handle.clone().request(ask).ok()?;
        let mut told = None;
        // To the end: an answer that nobody takes would stay in the socket.
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbourTable(table)) =
                answer.payload
            {
                told = told.or_else(|| fill(&table));
            }
        }
        told
    }
}

impl Drop for NeighbourTables {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// The message about the table itself; those about interfaces have no size in them
/// (`neightbl_fill_param_info`).
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
