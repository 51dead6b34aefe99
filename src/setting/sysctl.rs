//! `sysctl`: settings of a machine's network namespace, by their names.

use super::EndSetting;
use crate::file::{At, Context, Diagnostic, Key, Names, Reported, Shape, Value, named};
use crate::model::{Node, NodeSysctls, Sysctl};

/// The sysctls of which each network namespace has its own, whatever the kernel: by the beginning
/// of the name, or the whole of it.
///
/// That a namespace shows a sysctl proves nothing: `net.netfilter.nf_hooks_lwtunnel` is there in
/// each, and set for all of them, for good (`nf_hooks_lwtunnel_sysctl_handler`). Where a table has
/// a value for each namespace, the kernel takes the right to write from what has none
/// (`ipv4_sysctl_init_net`, `nf_conntrack_standalone_init_sysctl`, `ensure_safe_net_sysctl`), so
/// these are safe. A test of each that a kernel has is in `tests/netns/sysctls.rs`.
const OWN: [&str; 9] = [
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
const SYSCTLS: Shape = Shape::Map(Names::Sysctls(&OWN), &Shape::SysctlValue);

pub(super) const KEY: Key<Vec<Sysctl>> = Key::value(
    "sysctl",
    SYSCTLS,
    settings,
    "Sysctls of the host's network namespace, such as `\"net.ipv4.tcp_retries2\" = 5`. Only those of which each namespace has its own: \
     `net.ipv4.*`, `net.ipv6.*`, `net.mptcp.*`, `net.netfilter.nf_conntrack_*`, `net.bridge.bridge-nf-*`, and `somaxconn`, `txrehash`, \
     `optmem_max` and `tstamp_allow_data` of `net.core`. One that the kernel does not have skips the case.",
);

pub(crate) const OF_NODES: Key<Vec<At<NodeSysctls>>> = Key::value(
    "sysctl",
    Shape::Map(Names::Machines, &SYSCTLS),
    of_nodes,
    "Sysctls of the machines between the ends, by their names, made before the machines have any link: `conf.default` is what their \
     interfaces get.",
);

/// It may change the kernel's timers.
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

/// Those of a network namespace alone.
fn settings(value: &Value, cx: &mut Context) -> Result<Vec<Sysctl>, Reported> {
    let mut settings = Vec::new();
    let mut reported = None;
    for (name, value) in value.entries(cx)? {
        if let Err((message, help)) = is_of_a_namespace(name.value) {
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

/// Those of machines between the ends, each under its name.
fn of_nodes(value: &Value, cx: &mut Context) -> Result<Vec<At<NodeSysctls>>, Reported> {
    let how = "name each machine: `{ r1 = { \"net.ipv4.ip_default_ttl\" = 32 } }`";
    let nodes: Vec<_> = value
        .entries_or(Some(how), cx)?
        .into_iter()
        .map(|(name, value)| {
            let node = named(name.value, name.span.clone(), cx);
            let sysctl = settings(&value, cx);
            let node = node.and_then(|node| between(node, &name, cx))?;
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

fn between(node: Node, name: &At<&str>, cx: &mut Context) -> Result<Node, Reported> {
    if ![Node::CLIENT, Node::SERVER].contains(&node) {
        return Ok(node);
    }
    let message = format!("the {node} has its settings elsewhere");
    let end = Diagnostic::new(name.span.clone(), message);
    Err(cx.report(end.help(format!("write them in `connection.{node}.sysctl`"))))
}

/// The name becomes a path, so nothing may lead out of the folder. What is wrong with it, and what
/// to do.
fn is_of_a_namespace(name: &str) -> Result<(), (String, String)> {
    let word = |word: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !word.is_empty() && word.bytes().all(known)
    };
    let is_spelled = name
        .strip_prefix("net.")
        .is_some_and(|rest| rest.contains('.') && rest.split('.').all(word));
    if !is_spelled {
        let message = format!("`{name}` is no sysctl of a network namespace");
        let help = "write it as sysctl(8) spells it, with quotes: `\"net.ipv4.tcp_retries2\" = 5`";
        return Err((message, help.to_owned()));
    }
    if !OWN.iter().any(|own| covers(own, name)) {
        let message = format!("`{name}` may be shared by all network namespaces of a machine");
        let own = OWN.map(|own| format!("`{own}{}`", if is_whole(own) { "" } else { "*" }));
        let help = format!("each namespace has its own of these: {}", own.join(", "));
        return Err((message, help));
    }
    Ok(())
}

fn covers(own: &str, name: &str) -> bool {
    if is_whole(own) {
        name == own
    } else {
        name.starts_with(own)
    }
}

/// Whether it is a name, and not the beginning of others.
fn is_whole(own: &str) -> bool {
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
            let (message, help) = is_of_a_namespace(name).unwrap_err();
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
            assert_eq!(is_of_a_namespace(name), Ok(()));
        }
    }
}
