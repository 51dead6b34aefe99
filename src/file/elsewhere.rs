//! Hints for names from elsewhere: the names that socket options, sysctls and well-known programs
//! have for the settings of a scenario, and keys that belong into another table.

use super::quantity;
use super::shape::{Form, Shape, TableKind};

/// An example of each key of an end, and the names that the key has elsewhere: lower-case letters
/// and digits only.
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

/// Keys of a file or a case. TOML puts them into the step if they are written below its header.
const BELONG_ABOVE_STEPS: [&str; 5] = ["connection", "expect", "name", "note", "topology"];

const NAT: &str = "a router that has a firewall can translate addresses: write \
                   `preset = \"routed\"` and `firewall = { nat = true }`";

/// Words that are not a step, and the help for each.
const STEPS: [(&[&str], &str); 8] = [
    (
        &["sleep", "wait", "delay", "idle"],
        "there is no step that only waits: set `after = \"2s\"` in the next step",
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
        "write `do = \"reboot\"`, or `do = \"crash\"` for a host that does not come back",
    ),
    (
        &["netem", "latency", "jitter"],
        "write `do = \"impair\"` with `delay`, `jitter`, `loss`, `reorder` or `rate`",
    ),
];

/// The help for an unknown key of the table at `path`.
pub(super) fn instead_of(path: &str, key: &str, kind: Option<&TableKind>) -> Option<String> {
    let table = path.strip_prefix("case.").unwrap_or(path);
    if kind.is_some_and(|kind| belongs_to_end(kind, key)) {
        let [client, server] = ["client", "server"].map(|end| format!("`[{path}.{end}]`"));
        return Some(format!(
            "`{key}` is set for each end: write it in {client} or {server}"
        ));
    }
    if table.ends_with("step") && BELONG_ABOVE_STEPS.contains(&key) {
        return Some(format!(
            "keys below `[[{path}]]` belong to the step: write `{key}` above it"
        ));
    }
    match (table, key) {
        ("" | "case", "client" | "server") => {
            let case = case(path);
            return Some(format!(
                "did you mean `[{case}connection.{key}]`? the expectations for the {key} are in `[{case}expect.{key}]`"
            ));
        }
        ("topology", "nat") => return Some(NAT.to_owned()),
        ("topology.firewall", "timeout" | "idle" | "idle_timeout" | "tcp_timeout") => {
            return Some("write `established = \"350s\"`".to_owned());
        }
        _ => {}
    }
    let example = of_end(key)?;
    match table {
        "connection.client.keepalive" | "connection.server.keepalive" => {
            // An example would have another value than the one that was written.
            Some(format!("did you mean `{}`?", inside_keepalive(example)?))
        }
        "connection.client.keepalive.sysctl" | "connection.server.keepalive.sysctl" => {
            let meant = match inside_keepalive(example)? {
                "idle" => "time",
                "interval" => "intvl",
                "probes" => "probes",
                _ => return None,
            };
            Some(format!("did you mean `{meant}`?"))
        }
        _ => in_ends(path, example),
    }
}

/// Whether a table has a table for each end, and the key belongs into those.
fn belongs_to_end(kind: &TableKind, key: &str) -> bool {
    let of_ends = kind.keys.iter().map(|key| key.describe());
    let mut of_ends = of_ends.filter(|known| ["client", "server"].contains(&known.name));
    of_ends.any(|end| match end.form {
        Form::Shape(Shape::Table(end)) => end.names().any(|known| known == key),
        Form::Shape(_) | Form::Words(_) => false,
    })
}

/// The help that moves an entry into the tables of the ends, as seen from the table at `path`;
/// `None` if no end is below or at that table.
fn in_ends(path: &str, entry: &str) -> Option<String> {
    match path.strip_prefix("case.").unwrap_or(path) {
        "connection.client" | "connection.server" => Some(format!("write `{entry}`")),
        "connection" | "" | "case" => {
            let case = case(path);
            let tables = ["client", "server"].map(|end| format!("`[{case}connection.{end}]`"));
            Some(format!("write `{entry}` in {}", tables.join(" or ")))
        }
        _ => None,
    }
}

fn case(path: &str) -> &'static str {
    if path.starts_with("case") {
        "case."
    } else {
        ""
    }
}

/// The help for unknown keys of the table at `path` that all belong into `keepalive`, given with
/// their values; `None` if one of them does not belong there.
pub(crate) fn keepalive(path: &str, given: &[(&str, Option<String>)]) -> Option<String> {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for (key, value) in given {
        let example = of_end(key)?;
        let inside = inside_keepalive(example)?;
        if entries.iter().any(|(known, _)| *known == inside) {
            continue;
        }
        let usual = example.split_once(&format!("{inside} = "))?.1;
        let usual = usual.strip_suffix(" }")?;
        let own = value.as_deref().and_then(|value| own(inside, key, value));
        entries.push((inside, own.unwrap_or_else(|| usual.to_owned())));
    }
    // `idle`, `interval` or `probes` turn keepalive on, so the switch is not needed with them.
    if entries.len() > 1 {
        entries.retain(|(inside, _)| *inside != "sysctl");
    }
    let order = ["idle", "interval", "probes", "sysctl"];
    entries.sort_by_key(|(inside, _)| order.iter().position(|key| key == inside));
    let entries = entries
        .iter()
        .map(|(inside, value)| format!("{inside} = {value}"));
    let entries = entries.collect::<Vec<_>>().join(", ");
    in_ends(path, &format!("keepalive = {{ {entries} }}"))
}

/// The author's value of a key of `keepalive`, as TOML; `None` if it is not a valid value.
fn own(inside: &str, key: &str, value: &str) -> Option<String> {
    let count = value.parse::<u64>().ok();
    match (inside, count) {
        ("sysctl", _) => None,
        ("probes", count) => count.map(|count| count.to_string()),
        // Node.js gives the initial delay in milliseconds.
        (_, Some(count)) if letters(key) == "keepaliveinitialdelay" => {
            let seconds = count / 1000;
            (seconds > 0).then(|| format!("\"{seconds}s\""))
        }
        (_, Some(count)) => Some(format!("\"{count}s\"")),
        (_, None) => quantity::duration(value)
            .ok()
            .map(|_| format!("\"{value}\"")),
    }
}

/// The first key inside an example such as `keepalive = { idle = "30s" }`; `None` for other keys.
fn inside_keepalive(example: &'static str) -> Option<&'static str> {
    let inside = example.strip_prefix("keepalive = { ")?;
    Some(inside.split_once(" =")?.0)
}

/// The letters and digits of a key, in lower case.
fn letters(key: &str) -> String {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

fn of_end(key: &str) -> Option<&'static str> {
    let name = letters(key);
    let name = name.strip_prefix("netipv4").unwrap_or(&name);
    let mut known = OF_ENDS.iter();
    let (example, _) = known.find(|(_, names)| names.contains(&name))?;
    Some(example)
}

/// The help for a word that is not a preset.
pub(crate) fn preset(word: &str) -> Option<&'static str> {
    ["nat", "masquerade"]
        .contains(&word.to_lowercase().as_str())
        .then_some(NAT)
}

/// The help for a word that is not a step.
pub(crate) fn step(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let mut known = STEPS.iter();
    let (_, help) = known.find(|(words, _)| words.contains(&word.as_str()))?;
    Some(help)
}
