//! `sysctl`: the sysctls of a machine's network namespace, by name.

use super::EndSetting;
use crate::file::{At, Context, Diagnostic, Key, Names, Reported, Shape, Value, named};
use crate::model::{Node, NodeSysctls, Sysctl};

/// The sysctls that are separate in each network namespace, on every kernel. An entry is a prefix
/// of names, or a full name.
///
/// That a namespace has a sysctl file does not prove this: each namespace has
/// `net.netfilter.nf_hooks_lwtunnel`, but setting it changes all of them, permanently
/// (`nf_hooks_lwtunnel_sysctl_handler`). If a sysctl table is per namespace, the kernel makes those
/// of its entries read-only that have no value per namespace (`ipv4_sysctl_init_net`,
/// `nf_conntrack_standalone_init_sysctl`, `ensure_safe_net_sysctl`). So these sysctls are safe. The
/// test in `tests/netns/sysctls.rs` covers each of them that the kernel has.
const NAMESPACED: [&str; 9] = [
    "net.bridge.bridge-nf-",
    "net.core.optmem_max",
    "net.core.somaxconn",
    "net.core.tstamp_allow_data",
    "net.core.txrehash",
    "net.ipv4.",
    "net.ipv6.",
    "net.mptcp.",
    "net.netfilter.nf_conntrack_",
];

/// The sysctls of one machine.
const SYSCTLS: Shape = Shape::Map(Names::Sysctls(&NAMESPACED), &Shape::SysctlValue);

pub(super) const KEY: Key<Vec<Sysctl>> = Key::value(
    "sysctl",
    SYSCTLS,
    settings,
    "Sysctls of the host's network namespace, such as `\"net.ipv4.tcp_retries2\" = 5`. Only sysctls that are separate in each namespace: \
     `net.ipv4.*`, `net.ipv6.*`, `net.mptcp.*`, `net.netfilter.nf_conntrack_*`, `net.bridge.bridge-nf-*`, and `somaxconn`, `txrehash`, \
     `optmem_max` and `tstamp_allow_data` of `net.core`. If the kernel does not have the sysctl, the case is skipped.",
);

pub(crate) const OF_NODES: Key<Vec<At<NodeSysctls>>> = Key::value(
    "sysctl",
    Shape::Map(Names::Machines, &SYSCTLS),
    of_nodes,
    "Sysctls of the machines between the ends, by machine name. They are set before the machines have any link, so their interfaces \
     inherit `conf.default`.",
);

/// The oracle has no rule for it, because it may change the kernel's timers.
pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.sysctl = end.value(&KEY, cx)?.unwrap_or_default();
        Ok(())
    },
    |own| {
        let sysctls = own.sysctl.iter();
        sysctls
            .map(|sysctl| format!("{} = {}", sysctl.name, sysctl.value))
            .collect()
    },
    |own| own.sysctl.clear(),
)
.sysctls(|own| own.sysctl.clone())
.without_rule();

/// Reads the sysctls of one machine. A sysctl that is not separate in each namespace is an error.
fn settings(value: &Value, cx: &mut Context) -> Result<Vec<Sysctl>, Reported> {
    let mut settings = Vec::new();
    let mut reported = None;
    for (name, value) in value.entries(cx)? {
        if let Err((message, help)) = check_namespaced(name.value) {
            let wrong = Diagnostic::new(name.span.clone(), message);
            reported = Some(cx.report(wrong.help(help)));
            continue;
        }
        match setting(&value, cx) {
            Ok(text) => settings.push(Sysctl {
                name: name.value.to_owned(),
                value: text,
            }),
            Err(error) => reported = Some(error),
        }
    }
    reported.map_or(Ok(settings), Err)
}

/// Reads the sysctls of the machines between the ends, by machine name, in the order of the file.
fn of_nodes(value: &Value, cx: &mut Context) -> Result<Vec<At<NodeSysctls>>, Reported> {
    let how = "name each machine: `{ r1 = { \"net.ipv4.ip_default_ttl\" = 32 } }`";
    let nodes: Vec<_> = value
        .entries_or(Some(how), cx)?
        .into_iter()
        .map(|(name, value)| {
            let node = named(name.value, name.span.clone(), cx);
            let sysctl = settings(&value, cx);
            let node = node.and_then(|node| check_between(node, &name, cx))?;
            let sysctl = sysctl?;
            Ok(At {
                value: NodeSysctls { node, sysctl },
                span: name.span,
            })
        })
        .collect();
    let mut nodes = nodes.into_iter().collect::<Result<Vec<_>, _>>()?;
    nodes.sort_by_key(|node| node.span.start);
    Ok(nodes)
}

/// Reports an error if the machine is an end of the connection.
fn check_between(node: Node, name: &At<&str>, cx: &mut Context) -> Result<Node, Reported> {
    if ![Node::CLIENT, Node::SERVER].contains(&node) {
        return Ok(node);
    }
    let message = format!("the sysctls of the {node} do not belong here");
    let end = Diagnostic::new(name.span.clone(), message);
    Err(cx.report(end.help(format!("write them in `connection.{node}.sysctl`"))))
}

/// Checks that the name is that of a sysctl that is separate in each network namespace. The name
/// becomes a path, so it must not lead out of the folder of sysctls.
///
/// # Errors
/// The message and the help of the diagnostic.
fn check_namespaced(name: &str) -> Result<(), (String, String)> {
    let word = |word: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !word.is_empty() && word.bytes().all(known)
    };
    let is_spelled = name
        .strip_prefix("net.")
        .is_some_and(|rest| rest.contains('.') && rest.split('.').all(word));
    if !is_spelled {
        let message = format!("`{name}` is not a sysctl of a network namespace");
        let help = "write it as sysctl(8) spells it, with quotes: `\"net.ipv4.tcp_retries2\" = 5`";
        return Err((message, help.to_owned()));
    }
    if !NAMESPACED.iter().any(|own| covers(own, name)) {
        let message = format!("`{name}` may be shared by all network namespaces of a machine");
        let own =
            NAMESPACED.map(|own| format!("`{own}{}`", if is_full_name(own) { "" } else { "*" }));
        let help = format!(
            "these sysctls are separate in each namespace: {}",
            own.join(", ")
        );
        return Err((message, help));
    }
    Ok(())
}

fn covers(own: &str, name: &str) -> bool {
    if is_full_name(own) {
        name == own
    } else {
        name.starts_with(own)
    }
}

/// Returns whether the entry is a full name, not a prefix.
fn is_full_name(own: &str) -> bool {
    own.ends_with(|last: char| last.is_ascii_alphanumeric())
}

fn setting(value: &Value, cx: &mut Context) -> Result<String, Reported> {
    match value.as_str() {
        Some(_) => value.text(cx),
        None => value.integer(0..=i64::MAX as u64, |number| Some(number.to_string()), cx),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_the_machines_is_refused_by_its_name() {
        for name in [
            "net.netfilter.nf_hooks_lwtunnel",
            "net.netfilter.nf_log.2",
            "net.core.somaxconn2",
            "net.core.bpf_jit_enable",
            "net.unix.max_dgram_qlen",
        ] {
            let (message, help) = check_namespaced(name).unwrap_err();
            assert!(
                message.contains(name) && message.contains("shared"),
                "{message}"
            );
            assert!(
                help.contains("`net.ipv4.*`") && help.contains("`net.core.somaxconn`"),
                "{help}"
            );
        }
    }

    #[test]
    fn what_is_a_namespaces_own_is_taken() {
        for name in [
            "net.ipv4.tcp_retries2",
            "net.ipv6.conf.all.forwarding",
            "net.core.somaxconn",
            "net.netfilter.nf_conntrack_tcp_loose",
            "net.bridge.bridge-nf-call-iptables",
        ] {
            assert_eq!(check_namespaced(name), Ok(()));
        }
    }
}
