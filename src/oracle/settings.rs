//! Which settings of an end the rules take into account.

use crate::model::EndSettings;

/// Settings that change the kernel's timers, what it makes of an ICMP error, or what is in flight when (a window that a small buffer
/// closes is the persist timer's, and a close that lingers takes its time).
pub(super) fn has_no_rule(settings: &EndSettings) -> bool {
    let EndSettings {
        keepalive: _,
        user_timeout: _,
        syn_retries: _,
        rto_max,
        recverr,
        nagle,
        send_buffer,
        receive_buffer,
        linger,
        sysctl,
    } = settings;
    let timers = !sysctl.is_empty() || rto_max.is_some() || *recverr;
    let flight = *nagle || send_buffer.is_some() || receive_buffer.is_some();
    timers || flight || linger.is_some()
}
