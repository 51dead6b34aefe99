//! The root queueing discipline of a link, which all outgoing packets pass.

use futures::StreamExt;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use nix::libc::{ENOENT, EOPNOTSUPP};
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::error::{Feature, LabError};
use super::node::LabNode;

/// `TCA_OPTIONS` (include/uapi/linux/rtnetlink.h).
const TCA_OPTIONS: u16 = 2;

/// A queueing discipline.
pub(super) struct Queue {
    pub(super) kind: &'static str,
    pub(super) options: Vec<u8>,
    /// The feature that is missing if the kernel does not support this kind.
    pub(super) lacking: Feature,
}

impl LabNode {
    /// Deletes the root queueing discipline that a step has installed on the link, and the packets
    /// in it.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub(crate) async fn reset_queue(&self, link: u32) -> Result<(), LabError> {
        let mut request = self.handle.qdisc().del(link.cast_signed());
        *request.message_mut() = at_root(link);
        let doing = format!("reset the queue of link {link}");
        request.execute().await.map_err(self.failed(doing))
    }

    pub(super) async fn set_queue(
        &self,
        link: u32,
        queue: Queue,
        doing: String,
    ) -> Result<(), LabError> {
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
                // ENOENT: qdisc_create finds no such kind. EOPNOTSUPP: the kernel has no traffic
                // control.
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
