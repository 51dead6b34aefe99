//! The queue that everything a node sends goes through.

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

impl LabNode {
    /// Puts a queue of length zero at the root of the link, which drops whatever the node sends, or takes it away again.
    ///
    /// # Errors
    /// [`LabError::Netlink`].
    pub async fn set_mute(&self, link: u32, mute: bool) -> Result<(), LabError> {
        let mut message = TcMessage::default();
        message.header.index = link.cast_signed();
        message.header.parent = TcHandle::ROOT;
        if !mute {
            let mut request = self.handle.qdisc().del(link.cast_signed());
            *request.message_mut() = message;
            return request
                .execute()
                .await
                .map_err(self.failed(format!("unmute link {link}")));
        }
        message.header.handle = TcHandle { major: 1, minor: 0 };
        message
            .attributes
            .push(TcAttribute::Kind("pfifo".to_owned()));
        // struct tc_fifo_qopt { __u32 limit; } (include/uapi/linux/pkt_sched.h)
        message.attributes.push(TcAttribute::Other(DefaultNla::new(
            TCA_OPTIONS,
            0_u32.to_ne_bytes().to_vec(),
        )));
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        let mut handle = self.handle.clone();
        let doing = format!("mute link {link}");
        let mut answers = handle
            .request(request)
            .map_err(self.failed(doing.clone()))?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload {
                let refused = self.failed(doing)(rtnetlink::Error::NetlinkError(error));
                // qdisc_create knows no such kind, or there is no traffic control at all.
                return Err(match refused.errno() {
                    Some(ENOENT | EOPNOTSUPP) => LabError::MissingFeature {
                        feature: "queueing disciplines",
                        option: "CONFIG_NET_SCHED",
                    },
                    _ => refused,
                });
            }
        }
        Ok(())
    }
}
