//! Nothing is left behind: no process, no file, whichever way a guest or the harness ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use deadpeer::guest::{Machine, run};
use libtest_mimic::{Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, getsid};
use tempfile::TempDir;

use crate::guest::{LIMIT, MODE, kernel, runtime};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("traces::an_answer_leaves_nothing", an_answer),
        Trial::test("traces::a_limit_leaves_nothing", a_limit),
        Trial::test("traces::a_dropped_run_leaves_nothing", a_dropped_run),
        Trial::test("traces::a_killed_harness_leaves_nothing", a_killed_harness),
        Trial::test("traces::a_terminal_does_not_reach_guests", a_terminal),
        Trial::test("traces::no_privilege_is_needed", no_privilege),
    ]
}

fn an_answer() -> Result<(), Failed> {
    let den = Den::new();
    let output = den.command("hello").output()?;
    assert_eq!(output.stdout, b"hello");
    den.is_empty()
}

fn a_limit() -> Result<(), Failed> {
    let den = Den::new();
    let limit = Duration::from_millis(300);
    let result = runtime().block_on(run(&den.machine(), b"wait", limit));
    assert!(result.is_err(), "a guest that waits has no answer");
    den.is_empty()
}

/// While the runtime goes on: a guest is not only the process's to clean up.
fn a_dropped_run() -> Result<(), Failed> {
    let den = Den::new();
    let machine = den.machine();
    runtime().block_on(async {
        let guest = tokio::spawn(async move { run(&machine, b"wait", LIMIT).await });
        den.wait_for_a_guest();
        guest.abort();
        assert!(guest.await.is_err(), "it must have been aborted");
        den.is_empty()
    })
}

/// Before there is a guest, and at each moment of its boot and after it.
fn a_killed_harness() -> Result<(), Failed> {
    for moment in 0..40 {
        let den = Den::new();
        let mut harness = den.start("wait")?;
        if moment % 2 == 0 {
            den.wait_for_a_guest();
        }
        thread::sleep(Duration::from_millis(moment * 3));
        harness.kill()?;
        harness.wait()?;
        den.is_empty()?;
    }
    Ok(())
}

/// Ctrl-C goes to every process of the terminal's foreground group, which is of one session.
fn a_terminal() -> Result<(), Failed> {
    let den = Den::new();
    let mut harness = den.start("wait")?;
    den.wait_for_a_guest();
    let own = getsid(None)?;
    for process in den.processes() {
        // One that has ended since has no session.
        assert_ne!(getsid(Some(process)), Ok(own), "process {process}");
    }
    kill(process_id(&harness), Signal::SIGINT)?;
    harness.wait()?;
    den.is_empty()
}

fn no_privilege() -> Result<(), Failed> {
    let den = Den::new();
    let program = den.folder.path().join("program");
    fs::copy("/proc/self/exe", &program)?;
    open_to_all(&program);
    let mut command = without_privileges(&program);
    command.args([MODE, "read /proc/self/status"]);
    let output = den.equip(command).output()?;
    let status = String::from_utf8(output.stdout)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    // In the guest it is root, of nothing but the guest.
    assert!(status.contains("Uid:\t0\t0\t0\t0"), "{status}{errors}");
    den.is_empty()
}

/// A process that is killed takes a moment to go.
const SOON: Duration = Duration::from_secs(2);

/// A kernel of its own, by which its processes are known, and a home where nothing must be left.
pub(crate) struct Den {
    folder: TempDir,
    pub(crate) kernel: PathBuf,
}

impl Den {
    pub(crate) fn new() -> Self {
        Self::with(&kernel())
    }

    /// Where this is the kernel.
    pub(crate) fn with(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        open_to_all(folder.path());
        let kernel_copy = folder.path().join("linux");
        fs::copy(program, &kernel_copy).unwrap();
        open_to_all(&kernel_copy);
        let den = Self {
            folder,
            kernel: kernel_copy,
        };
        fs::create_dir(den.home()).unwrap();
        fs::set_permissions(den.home(), Permissions::from_mode(0o777)).unwrap();
        den
    }

    fn home(&self) -> PathBuf {
        self.beside("home")
    }

    /// A place that is not looked at for what is left.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn machine(&self) -> Machine {
        Machine::Uml {
            kernel: self.kernel.clone(),
        }
    }

    /// This program with a job.
    fn command(&self, job: &str) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.args([MODE, job]);
        self.equip(command)
    }

    pub(crate) fn equip(&self, mut command: Command) -> Command {
        command
            .current_dir(self.home())
            .env("HARNESS_KERNEL", &self.kernel)
            .env("HOME", self.home())
            .env("TMPDIR", self.home());
        command
    }

    fn start(&self, job: &str) -> std::io::Result<Child> {
        let mut command = self.command(job);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    }

    /// The processes that run this kernel: the guest's own, and those that are the guest's programs.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let all = fs::read_dir("/proc").unwrap();
        all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|process: &i32| {
                fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|exe| exe == self.kernel)
            })
            .map(Pid::from_raw)
            .collect()
    }

    /// Until its init runs.
    fn wait_for_a_guest(&self) {
        self.wait_for_processes(2);
    }

    pub(crate) fn wait_for_processes(&self, count: usize) {
        let start = Instant::now();
        while self.processes().len() < count {
            assert!(start.elapsed() < LIMIT, "no guest starts");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn is_empty(&self) -> Result<(), Failed> {
        let start = Instant::now();
        while !self.processes().is_empty() {
            if start.elapsed() > SOON {
                return Err(format!("these are left: {:?}", self.processes()).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        for folder in [self.home(), PathBuf::from("/dev/shm")] {
            let left: Vec<_> = fs::read_dir(&folder)?
                .map(|entry| entry.unwrap().file_name())
                .filter(|name| folder == self.home() || name.to_string_lossy().contains("vm_file"))
                .collect();
            assert!(left.is_empty(), "left in {}: {left:?}", folder.display());
        }
        Ok(())
    }
}

pub(crate) fn process_id(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// As root this is `nobody`, without even the means to become somebody else; without root it is the ordinary case.
pub(crate) fn without_privileges(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--no-new-privs", "--inh-caps=-all"]);
    if geteuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(program);
    command
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}
