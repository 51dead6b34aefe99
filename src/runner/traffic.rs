//! The traffic between the two ends.

use std::io;

use super::host_recorder::HostRecorder;
use super::running::PATIENCE;
use crate::endpoint::Endpoint;

/// The two sockets of each connection that exists at both ends. A host that has rebooted has lost
/// its sockets.
pub(super) fn pairs<'a>(
    from: &'a mut HostRecorder,
    to: &'a mut HostRecorder,
) -> impl Iterator<Item = (&'a mut Endpoint, &'a mut Endpoint)> {
    let mut far = to.endpoints.iter_mut();
    from.endpoints.iter_mut().filter_map(move |near| {
        let peer = far.find(|far| far.connection == near.connection)?;
        Some((near, peer))
    })
}

/// One exchange: `near` sends the payload, and `far` sends the received bytes back.
///
/// # Errors
/// The error of either socket, or an error if the returned bytes differ from the payload.
pub(super) async fn exchange(
    near: &mut Endpoint,
    far: &mut Endpoint,
    payload: &[u8],
) -> io::Result<()> {
    near.write(payload).await?;
    let received = far.received_from(near, payload.len()).await?;
    far.write(&received).await?;
    let returned = near.received_from(far, payload.len()).await?;
    if returned == payload {
        Ok(())
    } else {
        Err(io::Error::other(
            "the returned data differs from the sent data",
        ))
    }
}

/// [`exchange`] with the time limit [`PATIENCE`]. The error is a message.
pub(super) async fn exchange_in_time(
    near: &mut Endpoint,
    far: &mut Endpoint,
    payload: &[u8],
) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, exchange(near, far, payload)).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
