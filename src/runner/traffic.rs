//! What the two ends say to each other.

use std::io;

use super::host_recorder::HostRecorder;
use super::running::PATIENCE;
use crate::endpoint::Endpoint;

/// The two ends of each connection that both sides still have. A host that rebooted has lost its
/// own.
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

/// `near` sends the payload, `far` sends back what it received.
///
/// # Errors
/// What either end's socket reports, or that something else came back.
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
        Err(io::Error::other("what came back is not what was sent"))
    }
}

/// The same with an end to patience; the error in words.
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
