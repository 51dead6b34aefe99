//! The names of ICMP messages, from RFC 792, RFC 1812 and RFC 4443.

/// ICMPv4: name, type, code.
const V4: [(&str, u8, u8); 20] = [
    ("net-unreachable", 3, 0),
    ("host-unreachable", 3, 1),
    ("protocol-unreachable", 3, 2),
    ("port-unreachable", 3, 3),
    ("fragmentation-needed", 3, 4),
    ("source-route-failed", 3, 5),
    ("net-unknown", 3, 6),
    ("host-unknown", 3, 7),
    ("host-isolated", 3, 8),
    ("net-prohibited", 3, 9),
    ("host-prohibited", 3, 10),
    ("net-unreachable-for-tos", 3, 11),
    ("host-unreachable-for-tos", 3, 12),
    ("communication-prohibited", 3, 13),
    ("redirect-net", 5, 0),
    ("redirect-host", 5, 1),
    ("ttl-exceeded", 11, 0),
    ("parameter-problem", 12, 0),
    ("echo-request", 8, 0),
    ("echo-reply", 0, 0),
];

/// ICMPv6: name, type, code.
const V6: [(&str, u8, u8); 17] = [
    ("no-route", 1, 0),
    ("communication-prohibited", 1, 1),
    ("beyond-scope", 1, 2),
    ("address-unreachable", 1, 3),
    ("port-unreachable", 1, 4),
    ("policy-failed", 1, 5),
    ("reject-route", 1, 6),
    ("packet-too-big", 2, 0),
    ("ttl-exceeded", 3, 0),
    ("parameter-problem", 4, 0),
    ("echo-request", 128, 0),
    ("echo-reply", 129, 0),
    ("router-solicitation", 133, 0),
    ("router-advertisement", 134, 0),
    ("redirect", 137, 0),
    ("multicast-listener-report", 143, 0),
    ("multicast-listener-query", 130, 0),
];

/// The name of a type and code, if it has one.
#[must_use]
pub(crate) fn icmp_name(is_ipv6: bool, (kind, code): (u8, u8)) -> Option<&'static str> {
    let mut known = icmp_names(is_ipv6).iter();
    let found = known.find(|(_, a, b)| (*a, *b) == (kind, code));
    found.map(|(name, ..)| *name)
}

/// The names of ICMP or ICMPv6 with their types and codes.
#[must_use]
pub(crate) fn icmp_names(is_ipv6: bool) -> &'static [(&'static str, u8, u8)] {
    if is_ipv6 { &V6 } else { &V4 }
}
