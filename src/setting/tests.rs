use nix::libc;

use super::*;
use crate::testing::cases;

/// The client's settings in a case with these settings.
fn client(settings: &str) -> EndSettings {
    let text = format!(
        "summary = 's'\n\
         topology = {{ preset = 'direct', family = 'ipv4' }}\n\
         connection.client = {{ {settings} }}\n\
         expect.client.survives = '1s'\n"
    );
    cases(&text)[0].case.connection.client.clone()
}

/// One example of each setting, by its key.
const EXAMPLES: [(&str, &str); 10] = [
    ("keepalive", "{ idle = '1s', interval = '2s', probes = 3 }"),
    ("user_timeout", "'3s'"),
    ("syn_retries", "4"),
    ("rto_max", "'5s'"),
    ("recverr", "true"),
    ("nodelay", "false"),
    ("send_buffer", "6000"),
    ("receive_buffer", "7000"),
    ("linger", "'8s'"),
    ("sysctl", "{ 'net.ipv4.tcp_retries2' = 9 }"),
];

fn example(key: &str) -> EndSettings {
    let (_, value) = EXAMPLES.iter().find(|(name, _)| *name == key).unwrap();
    client(&format!("{key} = {value}"))
}

#[test]
fn each_setting_is_set_described_and_taken_back() {
    let keys: Vec<&str> = SETTINGS.iter().map(|row| row.key.describe().name).collect();
    assert_eq!(keys, EXAMPLES.map(|(key, _)| key));
    for row in SETTINGS {
        let key = row.key.describe().name;
        let settings = example(key);
        let default = EndSettings::default();
        assert_eq!(row.removed(&settings), Some(default.clone()), "{key}");
        assert_ne!((row.describe)(&settings), (row.describe)(&default), "{key}");
        let sets = !(row.options)(&settings, Family::Ipv4).is_empty()
            || !(row.sysctls)(&settings).is_empty();
        // The step that closes the socket sets SO_LINGER.
        assert_eq!(sets, key != "linger", "{key}");
    }
}

#[test]
fn options_are_those_of_the_kernel() {
    let of = |key: &str, family| -> Vec<[i32; 3]> {
        let options = socket_options(&example(key), family).into_iter();
        options
            .map(|option| [option.level, option.name, option.value])
            .collect()
    };
    let tcp = libc::IPPROTO_TCP;
    let keepalive = [
        [libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1],
        [tcp, libc::TCP_KEEPIDLE, 1],
        [tcp, libc::TCP_KEEPINTVL, 2],
        [tcp, libc::TCP_KEEPCNT, 3],
    ];
    for (key, options) in [
        ("keepalive", &keepalive[..]),
        ("user_timeout", &[[tcp, libc::TCP_USER_TIMEOUT, 3000]]),
        ("syn_retries", &[[tcp, libc::TCP_SYNCNT, 4]]),
        ("rto_max", &[[tcp, 44, 5000]]),
        ("nodelay", &[[tcp, libc::TCP_NODELAY, 0]]),
        ("send_buffer", &[[libc::SOL_SOCKET, libc::SO_SNDBUF, 6000]]),
        (
            "receive_buffer",
            &[[libc::SOL_SOCKET, libc::SO_RCVBUF, 7000]],
        ),
    ] {
        for family in Family::ALL {
            assert_eq!(of(key, family), options, "{key}");
        }
    }
    let [v4, v6] = Family::ALL.map(|family| of("recverr", family));
    assert_eq!(v4, [[libc::IPPROTO_IP, libc::IP_RECVERR, 1]]);
    assert_eq!(v6, [[libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1]]);
}

#[test]
fn keepalive_sets_what_its_form_gives() {
    let numbers = |settings: &str| -> Vec<[i32; 2]> {
        let options = socket_options(&client(settings), Family::Ipv4).into_iter();
        options.map(|option| [option.name, option.value]).collect()
    };
    let on = [libc::SO_KEEPALIVE, 1];
    assert_eq!(
        numbers("keepalive = { interval = '7s' }"),
        [on, [libc::TCP_KEEPINTVL, 7]]
    );
    assert_eq!(
        numbers("keepalive = { time = '10s' }"),
        [
            on,
            [libc::TCP_KEEPIDLE, 10],
            [libc::TCP_KEEPINTVL, 3],
            [libc::TCP_KEEPCNT, 3]
        ]
    );
    let of_namespace = "keepalive = { sysctl = { time = '6s', probes = 2 } }";
    assert_eq!(numbers(of_namespace), [on]);
    let names: Vec<String> = sysctls(&client(of_namespace))
        .iter()
        .map(|sysctl| format!("{} = {}", sysctl.name, sysctl.value))
        .collect();
    assert_eq!(
        names,
        [
            "net.ipv4.tcp_keepalive_time = 6",
            "net.ipv4.tcp_keepalive_probes = 2"
        ]
    );
}
