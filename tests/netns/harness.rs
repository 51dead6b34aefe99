//! Runs the harness as a user does: the binary, its output and its exit status.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::room::Room;

/// The time limit of a run, longer than any run takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A path of the source tree.
pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the harness to its end.
pub(crate) fn run<S: AsRef<str>>(arguments: &[S]) -> anyhow::Result<Finished> {
    Running::start(command(), arguments)?.finish(LIMIT)
}

/// The command of the harness, without `SUDO_UID`, so that tests that run through sudo run it as
/// root.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.env_remove("SUDO_UID");
    command
}

/// The command of the harness as the user `nobody`.
pub(crate) fn command_as_nobody(binary: &Path) -> Command {
    const NOBODY: u32 = 65534;
    let mut command = Command::new(binary);
    // With a user set, std also clears the supplementary groups.
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// A process of the harness. Dropping it kills the process.
pub(crate) struct Running {
    child: Child,
    out: Stream,
    err: Stream,
    begun: Instant,
    room: Room,
}

/// A run that has ended without leaving a file behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) elapsed: Duration,
}

impl Running {
    pub(crate) fn start<S: AsRef<str>>(
        mut command: Command,
        arguments: &[S],
    ) -> anyhow::Result<Self> {
        let room = Room::new()?;
        let mut child = command
            .arg("run")
            .args(arguments.iter().map(AsRef::as_ref))
            .current_dir(room.here())
            .env("HOME", room.home())
            .env("TMPDIR", room.tmp())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self {
            out: Stream::follow(child.stdout.take().context("no standard output")?),
            err: Stream::follow(child.stderr.take().context("no standard error")?),
            child,
            begun: Instant::now(),
            room,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal)?;
        Ok(())
    }

    /// Waits until standard output contains the text.
    pub(crate) fn wait_for(&mut self, text: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !self.out.so_far().contains(text) {
            ensure!(
                Instant::now() < deadline && self.is_running()?,
                "{text:?} was not printed:\n{}{}",
                self.out.so_far(),
                self.err.so_far()
            );
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    pub(crate) fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self, limit: Duration) -> anyhow::Result<Finished> {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                bail!("still running after {limit:?}:\n{}", self.out.so_far());
            }
            thread::sleep(Duration::from_millis(2));
        };
        let elapsed = self.begun.elapsed();
        let (out, err) = (self.out.drain(), self.err.drain());
        self.room.still_empty()?;
        Ok(Finished {
            status,
            out,
            err,
            elapsed,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Finished {
    /// Fails, with the output of the run, unless this is the exit status.
    pub(crate) fn exits(&self, code: i32) -> anyhow::Result<&Self> {
        let status = self.status.code();
        ensure!(
            status == Some(code),
            "exit status {status:?} (signal {:?}), expected {code}\n{}{}",
            self.status.signal(),
            self.out,
            self.err
        );
        Ok(self)
    }

    /// Fails unless the case failed with these messages. If the machine was too busy for a verdict,
    /// the output must contain the same messages, with what was late: a case that should fail never
    /// passes.
    pub(crate) fn fails(&self, words: &[&str]) -> anyhow::Result<&Self> {
        if self.status.code() == Some(3) {
            return self.says(&["no verdict: "])?.says(words);
        }
        self.exits(1)?.says(words)?.says(&["FAIL"])
    }

    /// Fails unless all texts are in standard output or standard error.
    pub(crate) fn says(&self, texts: &[&str]) -> anyhow::Result<&Self> {
        for text in texts {
            let said = self.out.contains(text) || self.err.contains(text);
            ensure!(said, "{text:?} is missing in\n{}{}", self.out, self.err);
        }
        Ok(self)
    }

    /// Fails if the text is in either stream.
    pub(crate) fn never_says(&self, text: &str) -> anyhow::Result<&Self> {
        let said = self.out.contains(text) || self.err.contains(text);
        ensure!(!said, "{text:?} appears in\n{}{}", self.out, self.err);
        Ok(self)
    }

    /// The last line, which counts the cases.
    pub(crate) fn closing(&self) -> &str {
        self.out.trim_end().lines().last().unwrap_or_default()
    }
}

/// The output of a stream so far.
struct Stream {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn follow(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut text = shared.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn drain(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
        self.so_far()
    }
}
