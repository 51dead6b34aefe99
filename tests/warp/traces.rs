//! No process and no file is left behind, in whatever way a guest or the harness ends.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use deadpeer::guest::{GuestMachine, run};
use libtest_mimic::{Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, getsid};
use tempfile::TempDir;

use crate::guest::{LIMIT, MODE, answer, kernel, runtime};
use crate::jobs::pattern;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("traces::an_answer_leaves_nothing", an_answer),
        Trial::test("traces::a_limit_leaves_nothing", a_limit),
        Trial::test("traces::a_dropped_run_leaves_nothing", a_dropped_run),
        Trial::test("traces::a_killed_harness_leaves_nothing", a_killed_harness),
        Trial::test("traces::no_guest_finds_anothers_memory", memory),
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

/// The guest must end while the runtime still runs, not only at the end of the process.
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

/// Kills the harness before the start of a guest, at several times of its boot, and after it.
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

/// The two guests run in a separate process, which has no other memory files, so that the second
/// guest gets the file of the first.
fn memory() -> Result<(), Failed> {
    let output = Command::new("/proc/self/exe")
        .arg(TWO_GUESTS)
        .env("HARNESS_KERNEL", kernel())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let counts: Vec<usize> = said
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(counts.len(), 2, "{said}{errors}");
    assert!(counts[0] > 60_000, "4 MB are left in memory: {counts:?}");
    assert_eq!(counts[1], 0, "{counts:?}");
    Ok(())
}

/// The first argument with which this program runs two guests one after the other. The first guest
/// fills a part of its memory. After each guest, the program prints how often the pattern is in the
/// memory file.
pub(crate) const TWO_GUESTS: &str = "--two-guests";

pub(crate) fn two_guests() {
    for job in ["fill 4", "nothing"] {
        answer(job.as_bytes(), LIMIT).unwrap();
        let descriptors = fs::read_dir("/proc/self/fd").unwrap();
        let paths = descriptors.map(|entry| entry.unwrap().path());
        let memory: Vec<PathBuf> = paths
            .filter(|path| {
                fs::read_link(path)
                    .is_ok_and(|name| name.to_string_lossy().contains("deadpeer-memory"))
            })
            .collect();
        assert_eq!(memory.len(), 1, "{memory:?}");
        let content = fs::read(&memory[0]).unwrap();
        let pattern = pattern();
        let filled = content.chunks(pattern.len());
        let count = filled.filter(|part| *part == pattern).count();
        let line = format!("{count}\n");
        io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

/// The terminal sends the signal of Ctrl-C to each process of its foreground group, which belongs
/// to one session. So guests must be in another session.
fn a_terminal() -> Result<(), Failed> {
    let den = Den::new();
    let mut harness = den.start("wait")?;
    den.wait_for_a_guest();
    let own = getsid(None)?;
    for process in den.processes() {
        // A process that has ended in the meantime has no session.
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
    // In the guest, init is root, with rights on nothing but the guest.
    assert!(status.contains("Uid:\t0\t0\t0\t0"), "{status}{errors}");
    den.is_empty()
}

/// The time within which a killed process must disappear.
const SOON: Duration = Duration::from_secs(2);

/// A copy of the kernel, which identifies the processes of a test's guests, and a home directory in
/// which nothing must be left.
pub(crate) struct Den {
    folder: TempDir,
    pub(crate) kernel: PathBuf,
}

impl Den {
    pub(crate) fn new() -> Self {
        Self::with(&kernel())
    }

    /// A den with this program as its kernel.
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

    /// A path outside of the home directory, where files may be left.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn machine(&self) -> GuestMachine {
        GuestMachine::Uml {
            kernel: self.kernel.clone(),
        }
    }

    /// The command that runs this program with a job.
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

    /// The processes that run this kernel: the kernel itself and the processes of the guest's
    /// programs. Since 6.16 the latter execute a program of their own. Such a process without a
    /// kernel may belong to any guest, and is counted.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let all = fs::read_dir("/proc").unwrap();
        all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .map(Pid::from_raw)
            .filter(|process| self.runs_kernel(*process) || self.runs_program(*process))
            .collect()
    }

    fn runs_kernel(&self, process: Pid) -> bool {
        program(process).is_some_and(|program| program == self.kernel)
    }

    /// Whether a process executes a guest's program: its parent is this kernel, or it has no kernel
    /// any more. A guest's kernel is the leader of the session of its programs.
    fn runs_program(&self, process: Pid) -> bool {
        let is_program = program(process)
            .is_some_and(|program| program.to_string_lossy().contains("uml-userspace"));
        is_program
            && parent(process).is_some_and(|parent| {
                self.runs_kernel(parent) || getsid(Some(process)) != Ok(parent)
            })
    }

    /// Waits until the guest has two processes: the kernel and init.
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

fn program(process: Pid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/exe")).ok()
}

/// The parent of a process: the fourth field of proc_pid_stat(5). The second field is a name in
/// parentheses.
fn parent(process: Pid) -> Option<Pid> {
    let fields = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = fields.rsplit_once(')')?;
    let parent = fields.split_whitespace().nth(1)?;
    parent.parse().ok().map(Pid::from_raw)
}

pub(crate) fn process_id(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// The command of a program without privileges: as `nobody` if the tests run as root, otherwise as
/// the present user. The program cannot gain privileges.
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
