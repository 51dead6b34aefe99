//! Measures the set-up time of a lab, up to the established connection, and the time to drop it.
//! Compares the set-up with a shell script of `ip` commands that builds the same lab without a
//! connection.
//!
//! `cargo bench --bench setup`, as root or rootless. Fails if a median exceeds its bound.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use deadpeer::endpoint::socket;
use deadpeer::lab::Lab;
use deadpeer::model::{
    CLIENT_PORT, Connection, End, EndSettings, Family, Node, Preset, Role, SERVER_PORT,
};
use deadpeer::plan::NetworkPlan;
use deadpeer::privilege;
use tokio::runtime::Handle;

const ROUNDS: usize = 40;
/// The pause after each lab. The kernel frees namespaces asynchronously, about a tenth of a second
/// later. Until then their neighbour entries count against the limit of the one table that all
/// namespaces share (`net.ipv6.neigh.default.gc_thresh3`, 1024). If the lab had a bridge, the
/// kernel also holds the rtnetlink lock during an RCU barrier (`br_multicast_dev_del`), and the
/// next lab would wait for it.
const PAUSE: Duration = Duration::from_millis(200);

/// The bounds of the median set-up time, up to the established connection.
const BOUNDS: [(Preset, Option<Duration>); 3] = [
    (Preset::Direct, Some(Duration::from_millis(6))),
    (Preset::Switched, None),
    (Preset::Routed, Some(Duration::from_millis(10))),
];
/// The bound of the set-up time as a share of the shell script's time.
const RATIO: f64 = 0.5;

fn main() -> Result<(), Box<dyn Error>> {
    privilege::isolate()?;
    let runtime = tokio::runtime::Runtime::new()?;
    println!(
        "{:20} {:>10} {:>10} {:>10} {:>7}",
        "lab (medians)", "set-up", "drop", "ip script", "ratio"
    );
    let mut beyond = Vec::new();
    for (topology, bound) in BOUNDS {
        for family in [Family::Ipv4, Family::Ipv6] {
            let plan = NetworkPlan::new(&topology.into(), family);
            let script = script(&plan);
            let (mut built, mut dropped, mut scripted) = (Vec::new(), Vec::new(), Vec::new());
            // The lab and the script alternate, so that other load on the machine affects both.
            for _ in 0..ROUNDS {
                let (build, drop) = runtime.block_on(lab(&plan))?;
                built.push(build);
                dropped.push(drop);
                std::thread::sleep(PAUSE);
                scripted.push(shell(&script)?.saturating_sub(shell("")?));
                std::thread::sleep(PAUSE);
            }
            let (built, dropped, scripted) = (median(built), median(dropped), median(scripted));
            let ratio = built.as_secs_f64() / scripted.as_secs_f64();
            let name = format!("{topology} {family}");
            println!(
                "{name:20} {:>10} {:>10} {:>10} {ratio:>7.2}",
                ms(built),
                ms(dropped),
                ms(scripted)
            );
            if bound.is_some_and(|bound| built > bound) || ratio >= RATIO {
                beyond.push(name);
            }
        }
    }
    runtime.shutdown_background();
    if beyond.is_empty() {
        Ok(())
    } else {
        Err(format!("beyond its bound: {}", beyond.join(", ")).into())
    }
}

/// Builds the lab, connects, and drops the lab. Returns the time of the set-up and that of the
/// drop.
async fn lab(plan: &NetworkPlan) -> Result<(Duration, Duration), Box<dyn Error>> {
    let settings = EndSettings::default();
    let connection = Connection {
        count: 1,
        client: settings.clone(),
        server: settings.clone(),
    };
    let begun = Instant::now();
    let lab = Lab::build(vec![plan.clone()], &connection, &Handle::current()).await?;
    let address = lab.plans[0].socket_address(End::Server, SERVER_PORT);
    let from = lab.plans[0].socket_address(End::Client, CLIENT_PORT);
    let listener = socket::listen(lab.node(Node::SERVER), address, &settings).await?;
    let client = lab.node(Node::CLIENT);
    let (stream, accepted) = tokio::try_join!(
        async {
            socket::connect(client, from, address, &settings)
                .await
                .map_err(Box::<dyn Error>::from)
        },
        async { listener.accept().await.map_err(Box::<dyn Error>::from) },
    )?;
    let established = begun.elapsed();
    let begun = Instant::now();
    drop((stream, accepted, listener, lab));
    Ok((established, begun.elapsed()))
}

/// The `ip` commands that build the same lab, with named namespaces, which `ip` requires.
fn script(plan: &NetworkPlan) -> String {
    let mut lines = Vec::new();
    for node in &plan.nodes {
        lines.push(format!("ip netns add {}", node.node));
    }
    for link in &plan.links {
        let end = |(node, interface): (usize, usize)| {
            let node = &plan.nodes[node];
            format!(
                "name {} netns {}",
                node.interfaces[interface].name, node.node
            )
        };
        lines.push(format!(
            "ip link add {} type veth peer {}",
            end(link.near),
            end(link.far)
        ));
    }
    for node in &plan.nodes {
        let ip = format!("ip -n {}", node.node);
        if node.role == Role::Switch {
            lines.push(format!("{ip} link add br0 up type bridge"));
        } else {
            lines.push(format!("{ip} link set lo up"));
        }
        for interface in &node.interfaces {
            let master = if node.role == Role::Switch {
                " master br0"
            } else {
                ""
            };
            lines.push(format!("{ip} link set {} up{master}", interface.name));
            if let Some(address) = interface.address {
                let nodad = if address.address.is_ipv6() {
                    " nodad"
                } else {
                    ""
                };
                lines.push(format!(
                    "{ip} addr add {address} dev {}{nodad}",
                    interface.name
                ));
            }
        }
        for route in &node.routes {
            let via = route
                .via
                .map(|via| format!(" via {via}"))
                .unwrap_or_default();
            lines.push(format!("{ip} route add {}{via}", route.to));
        }
        if node.role == Role::Router {
            lines.push("ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1".to_owned());
        }
    }
    lines.join("\n")
}

/// Runs the commands in a new mount namespace, so that the names that `ip netns add` creates
/// disappear with the shell.
fn shell(commands: &str) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    let mut shell = Command::new("unshare")
        .args(["--mount", "sh", "-e"])
        .stdin(Stdio::piped())
        .spawn()?;
    let script = format!("mount -t tmpfs none /run\n{commands}\n");
    shell
        .stdin
        .take()
        .ok_or("no standard input")?
        .write_all(script.as_bytes())?;
    if !shell.wait()?.success() {
        return Err(format!("the script failed:\n{script}").into());
    }
    Ok(begun.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
