//! Names from elsewhere: what sockets, sysctls and well-known programs call the things that a
//! scenario sets, and keys that belong to another table.

/// A key of an end with an example, and the names that it has elsewhere: in lower case, without
/// what is between the words.
const OF_ENDS: [(&str, &[&str]); 12] = [
    (
        "keepalive = { idle = \"30s\" }",
        &[
            "idle",
            "keepidle",
            "tcpkeepidle",
            "keepaliveidle",
            "keepalivesidle",
            "keepalivetime",
            "tcpkeepalivetime",
            "tcpkeepalivesidle",
            "keepaliveperiod",
            "keepaliveinitialdelay",
            "clitcpkaidle",
            "srvtcpkaidle",
        ],
    ),
    (
        "keepalive = { interval = \"10s\" }",
        &[
            "interval",
            "intvl",
            "keepintvl",
            "tcpkeepintvl",
            "tcpkeepinterval",
            "keepaliveinterval",
            "keepalivesinterval",
            "keepaliveintvl",
            "tcpkeepaliveintvl",
            "tcpkeepalivesinterval",
            "clitcpkaintvl",
            "srvtcpkaintvl",
        ],
    ),
    (
        "keepalive = { probes = 3 }",
        &[
            "probes",
            "count",
            "keepcnt",
            "tcpkeepcnt",
            "tcpkeepcount",
            "keepalivecount",
            "keepalivescount",
            "keepaliveprobes",
            "tcpkeepaliveprobes",
            "tcpkeepalivescount",
            "clitcpkacnt",
            "srvtcpkacnt",
        ],
    ),
    (
        "keepalive = { sysctl = {} }",
        &[
            "keepalives",
            "sokeepalive",
            "tcpkeepalive",
            "proxysocketkeepalive",
            "keepaliveconfig",
            "setkeepalive",
        ],
    ),
    ("user_timeout = \"30s\"", &["tcpusertimeout", "usertimeout"]),
    ("syn_retries = 2", &["tcpsyncnt", "tcpsynretries", "syncnt"]),
    ("rto_max = \"10s\"", &["tcprtomaxms", "rtomaxms"]),
    ("recverr = true", &["iprecverr", "ipv6recverr"]),
    ("nodelay = false", &["tcpnodelay", "nagle"]),
    ("send_buffer = 65536", &["sosndbuf", "sndbuf"]),
    ("receive_buffer = 65536", &["sorcvbuf", "rcvbuf"]),
    ("linger = \"0s\"", &["solinger"]),
];

/// The keys of `[connection.client]`.
const KEYS_OF_ENDS: [&str; 10] = [
    "keepalive",
    "user_timeout",
    "syn_retries",
    "rto_max",
    "recverr",
    "nodelay",
    "send_buffer",
    "receive_buffer",
    "linger",
    "sysctl",
];

/// The keys of `[expect.client]`.
const KEYS_OF_EXPECTATIONS: [&str; 18] = [
    "error",
    "eof",
    "survives",
    "open",
    "textbook",
    "within",
    "since",
    "probes",
    "retransmissions",
    "rst",
    "icmp",
    "neighbours",
    "timer",
    "state",
    "counters",
    "poll",
    "next_write",
    "descriptors",
];

/// Keys of a file or a case that end up in a step when they are written below its header.
const BELONG_ABOVE_STEPS: [&str; 5] = ["connection", "expect", "name", "note", "topology"];

/// What is not the name of a step, and what to write.
const STEPS: [(&[&str], &str); 8] = [
    (
        &["sleep", "wait", "delay", "idle"],
        "no step only waits: give the next one `after = \"2s\"`",
    ),
    (
        &["pull", "unplug", "plug", "link", "down"],
        "write `do = \"cable\"`, `action = \"pull\"` or `\"plug\"`",
    ),
    (
        &["kill", "stop", "continue", "sigkill", "sigstop"],
        "write `do = \"process\"`, `action = \"kill\"`, `\"stop\"` or `\"continue\"`",
    ),
    (
        &["close", "shutdown", "abort", "reset", "rst", "fin"],
        "write `do = \"socket\"`, `action = \"close\"`, `\"shutdown\"` or `\"abort\"`",
    ),
    (
        &["drop", "reject", "block", "firewall"],
        "write `do = \"filter\"`, `action = \"drop\"` or `\"reject\"`",
    ),
    (
        &["write", "data"],
        "write `do = \"send\"`, or `do = \"exchange\"` to wait for the answer",
    ),
    (
        &["restart", "reset-host", "power-off", "poweroff"],
        "write `do = \"reboot\"`, or `do = \"crash\"` for a host that stays away",
    ),
    (
        &["netem", "latency", "jitter"],
        "write `do = \"impair\"` with `delay`, `jitter`, `loss`, `reorder` or `rate`",
    ),
];

/// What to write in place of an unknown key of the table at `path`.
pub(super) fn instead_of(path: &str, key: &str) -> Option<String> {
    let table = path.strip_prefix("case.").unwrap_or(path);
    let belongs_to_end = match table {
        "connection" => KEYS_OF_ENDS.contains(&key),
        "expect" | "expect.ipv4" | "expect.ipv6" => KEYS_OF_EXPECTATIONS.contains(&key),
        _ => false,
    };
    if belongs_to_end {
        let [client, server] = ["client", "server"].map(|end| format!("`[{path}.{end}]`"));
        return Some(format!(
            "each end has its own: write `{key}` in {client} or {server}"
        ));
    }
    if table.ends_with("step") && BELONG_ABOVE_STEPS.contains(&key) {
        return Some(format!(
            "what stands below `[[{path}]]` belongs to the step: write `{key}` above it"
        ));
    }
    let example = of_end(key)?;
    match table {
        "connection.client" | "connection.server" => Some(format!("write `{example}`")),
        "connection.client.keepalive" | "connection.server.keepalive" => {
            let inside = example.strip_prefix("keepalive = { ")?;
            Some(format!("write `{}`", inside.strip_suffix(" }")?))
        }
        "connection" | "" | "case" => {
            let case = if path.starts_with("case") {
                "case."
            } else {
                ""
            };
            let tables = ["client", "server"].map(|end| format!("`[{case}connection.{end}]`"));
            Some(format!("write `{example}` in {}", tables.join(" or ")))
        }
        _ => None,
    }
}

fn of_end(key: &str) -> Option<&'static str> {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.collect::<String>().to_ascii_lowercase();
    let name = name.strip_prefix("netipv4").unwrap_or(&name);
    let mut known = OF_ENDS.iter();
    let (example, _) = known.find(|(_, names)| names.contains(&name))?;
    Some(example)
}

/// What to write in place of a step that there is not.
pub(super) fn step(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let mut known = STEPS.iter();
    let (_, help) = known.find(|(words, _)| words.contains(&word.as_str()))?;
    Some(help)
}
