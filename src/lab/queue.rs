//! The queue that everything a node sends goes through.

use std::time::Duration;

use futures::StreamExt;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use nix::libc::{ENOENT, EOPNOTSUPP};
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::error::LabError;
use super::node::LabNode;

/// `TCA_OPTIONS` (include/uapi/linux/rtnetlink.h).
const TCA_OPTIONS: u16 = 2;

/// `TCA_NETEM_LATENCY64` (include/uapi/linux/pkt_sched.h), nanoseconds.
const TCA_NETEM_LATENCY64: u16 = 10;

/// How many packets may be under way in a delay.
const NETEM_LIMIT: u32 = 10_000;

/// A queueing discipline.
struct Queue {
    kind: &'static str,
    options: Vec<u8>,
    /// What a kernel lacks that does not know it.
    lacking: (&'static str, &'static str),
}

impl LabNode {
    /// Puts a queue of length zero at the root of the link, which drops whatever the node sends, or takes it away again.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn set_mute(&self, link: u32, mute: bool) -> Result<(), LabError> {
        if !mute {
            let mut request = self.handle.qdisc().del(link.cast_signed());
            *request.message_mut() = at_root(link);
            return request
                .execute()
                .await
                .map_err(self.failed(format!("unmute link {link}")));
        }
        let queue = Queue {
            kind: "pfifo",
            // struct tc_fifo_qopt { __u32 limit; }
            options: 0_u32.to_ne_bytes().to_vec(),
            lacking: ("queueing disciplines", "CONFIG_NET_SCHED"),
        };
        self.set_queue(link, queue, format!("mute link {link}"))
            .await
    }

    /// Delays what the node sends over the link (netem).
    ///
    /// # Errors
    /// [`LabError::Netlink`], or [`LabError::MissingFeature`].
    pub async fn set_delay(&self, link: u32, by: Duration) -> Result<(), LabError> {
        // struct tc_netem_qopt { __u32 latency, limit, loss, gap, duplicate, jitter; }, with the latency in an attribute of its own.
        let qopt = [0, NETEM_LIMIT, 0, 0, 0, 0];
        let mut options: Vec<u8> = qopt.into_iter().flat_map(u32::to_ne_bytes).collect();
        let latency = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        options.extend(12_u16.to_ne_bytes());
        options.extend(TCA_NETEM_LATENCY64.to_ne_bytes());
        options.extend(latency.to_ne_bytes());
        let queue = Queue {
            kind: "netem",
            options,
            lacking: ("network emulation", "CONFIG_NET_SCH_NETEM"),
        };
        self.set_queue(link, queue, format!("delay link {link}"))
            .await
    }

    async fn set_queue(&self, link: u32, queue: Queue, doing: String) -> Result<(), LabError> {
        let mut message = at_root(link);
        message.header.handle = TcHandle { major: 1, minor: 0 };
        message
            .attributes
            .push(TcAttribute::Kind(queue.kind.to_owned()));
        let options = DefaultNla::new(TCA_OPTIONS, queue.options);
        message.attributes.push(TcAttribute::Other(options));
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        let mut handle = self.handle.clone();
        let mut answers = handle
            .request(request)
            .map_err(self.failed(doing.clone()))?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload {
                let refused = self.failed(doing)(rtnetlink::Error::NetlinkError(error));
                // qdisc_create knows no such kind, or there is no traffic control at all.
                return Err(match refused.errno() {
                    Some(ENOENT | EOPNOTSUPP) => LabError::MissingFeature {
                        feature: queue.lacking.0,
                        option: queue.lacking.1,
                    },
                    _ => refused,
                });
            }
        }
        Ok(())
    }
}

fn at_root(link: u32) -> TcMessage {
    let mut message = TcMessage::default();
    message.header.index = link.cast_signed();
    message.header.parent = TcHandle::ROOT;
    message
}
