//! Signals and failures while `harness run` has guests that run or boot: it ends at once, reports
//! the reason and leaves nothing behind. Also tests the user as which it runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Uid, geteuid};

use crate::guest::{LIMIT, kernel};
use crate::traces::{Den, process_id};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("ends::a_signal_while_cases_run", while_cases_run),
        Trial::test("ends::a_signal_while_a_later_kernel_boots", while_booting),
        Trial::test("ends::a_killed_run_leaves_nothing", killed),
        Trial::test("ends::what_sudo_lends_is_given_back", by_sudo),
        Trial::test("ends::a_kernel_that_cannot_boot", cannot_boot),
    ]
}

/// A process of the harness in a den. Its output goes to files.
struct Running {
    den: Den,
    harness: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    fn start(den: Den, arguments: &[&str]) -> Result<Self, Failed> {
        Self::start_by_sudo_of(None, den, arguments)
    }

    fn start_by_sudo_of(caller: Option<Uid>, den: Den, arguments: &[&str]) -> Result<Self, Failed> {
        let [out, err] = ["out", "err"].map(|name| den.beside(name));
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.arg("run").args(arguments);
        let mut command = den.equip(command);
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .stdin(Stdio::null());
        if let Some(caller) = caller {
            command.env("SUDO_UID", caller.to_string());
        }
        let harness = command.spawn()?;
        Ok(Self {
            den,
            harness,
            out,
            err,
        })
    }

    fn said(&self) -> String {
        let of = |path| fs::read_to_string(path).unwrap();
        of(&self.out) + &of(&self.err)
    }

    fn wait_for(&self, text: &str) -> Result<(), Failed> {
        let begun = Instant::now();
        while !self.said().contains(text) {
            if begun.elapsed() > LIMIT {
                return Err(format!("`{text}` is missing in\n{}", self.said()).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Sends a signal, after which the process must end within a second with status 130. Returns
    /// the output.
    fn stopped(mut self, signal: Signal) -> Result<String, Failed> {
        let begun = Instant::now();
        kill(process_id(&self.harness), signal)?;
        let status = self.harness.wait()?;
        let taken = begun.elapsed();
        let said = self.said();
        assert_eq!(status.code(), Some(130), "{status}\n{said}");
        assert!(taken < Duration::from_secs(1), "{taken:?}\n{said}");
        self.den.is_empty()?;
        Ok(said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        self.harness.kill().ok();
        self.harness.wait().ok();
    }
}

/// Ten days with a probe every second take a minute of real time. So two of three guests do not end
/// during the test. The third runs one case after the other.
const ENDLESS: &str = r#"
summary = "An idle connection for days"
topology.preset = "direct"
connection.client.keepalive = { idle = "1s", interval = "1s", probes = 3 }
step = [{ do = "exchange" }]
expect.client.survives = "240h"
"#;

fn start_endless() -> Result<Running, Failed> {
    start_endless_by_sudo_of(None)
}

fn start_endless_by_sudo_of(caller: Option<Uid>) -> Result<Running, Failed> {
    let den = Den::new();
    let file = den.beside("endless.toml");
    fs::write(&file, ENDLESS)?;
    let file = file.to_string_lossy();
    let arguments = ["--warp", "-j", "3", &file, "scenarios/crashed.toml"];
    Running::start_by_sudo_of(caller, den, &arguments)
}

fn while_cases_run() -> Result<(), Failed> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let running = start_endless()?;
        running.wait_for("   pass ")?;
        let said = running.stopped(signal)?;
        let closing = said.lines().last().unwrap_or_default();
        assert!(closing.contains(" passed, "), "{said}");
        assert!(closing.contains(" stopped"), "{said}");
    }
    Ok(())
}

/// A program that never ends stands for a kernel that hangs.
fn while_booting() -> Result<(), Failed> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let den = Den::with(Path::new("/usr/bin/yes"));
        let kernels = format!("{},{}", kernel().display(), den.kernel.display());
        let arguments = ["--kernels", &kernels, "scenarios/crashed.toml"];
        let running = Running::start(den, &arguments)?;
        running.den.wait_for_processes(1);
        let said = running.stopped(signal)?;
        assert_eq!(said, "error: interrupted before the first case\n");
    }
    Ok(())
}

/// Kills the harness before the start of a guest, during the first boot, and between cases.
fn killed() -> Result<(), Failed> {
    for moment in 0..20 {
        let mut running = start_endless()?;
        thread::sleep(Duration::from_millis(moment * 25));
        running.harness.kill()?;
        running.harness.wait()?;
        running.den.is_empty()?;
    }
    Ok(())
}

/// If one of the kernels cannot boot, no case runs on the others, since their results would be
/// lost.
fn cannot_boot() -> Result<(), Failed> {
    let den = Den::with(Path::new("/usr/bin/true"));
    let kernels = format!("{},{}", kernel().display(), den.kernel.display());
    let arguments = ["--kernels", &kernels, "scenarios/crashed.toml"];
    let mut running = Running::start(den, &arguments)?;
    let status = running.harness.wait()?;
    let said = running.said();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("it ended before it sent a result"), "{said}");
    assert!(!said.contains("pass"), "{said}");
    running.den.is_empty()
}

/// If the tests run as root, the harness runs as if `nobody` had called sudo. Otherwise it has no
/// rights of root to drop.
fn by_sudo() -> Result<(), Failed> {
    const NOBODY: Uid = Uid::from_raw(65534);
    let running = start_endless_by_sudo_of(Some(NOBODY))?;
    running.wait_for("   pass ")?;
    let expected = if geteuid().is_root() {
        NOBODY
    } else {
        geteuid()
    };
    let mut processes = running.den.processes();
    assert!(!processes.is_empty(), "{}", running.said());
    processes.push(process_id(&running.harness));
    for process in processes {
        // A process that has ended in the meantime has no status.
        let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else {
            continue;
        };
        let users = status.lines().find(|line| line.starts_with("Uid:"));
        let users: Vec<&str> = users.unwrap_or_default().split_whitespace().collect();
        let same = users[1..].iter().all(|user| *user == expected.to_string());
        assert!(same, "{status}");
    }
    running.stopped(Signal::SIGINT).map(drop)
}
