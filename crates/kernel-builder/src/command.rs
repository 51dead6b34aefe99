//! The programs of a build. A log takes all of their output, and none of them outlives the caller.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{BuildError, Io};
use crate::stop::Stop;

/// Starts a program. The kernel kills the program and all that it has started when the returned
/// descriptor closes, also when the caller's process is killed. The command must be dropped before
/// the function returns, since it holds the writing end of the program's output.
pub type Spawn = fn(Command) -> io::Result<(Child, OwnedFd)>;

/// The number of lines of the log that an error quotes.
const TAIL: usize = 15;

/// The log of all programs of a build.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    spawn: Spawn,
    stop: Stop,
}

impl Log {
    /// Creates an empty log.
    pub(crate) fn create(path: PathBuf, spawn: Spawn, stop: Stop) -> Result<Self, BuildError> {
        File::create(&path).io("write", &path)?;
        // Another process may truncate the file: an appended line leaves no hole then.
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .io("write", &path)?;
        Ok(Self {
            path,
            file,
            spawn,
            stop,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a program to its end, and passes each line of its output to `on_line`.
    pub(crate) fn run(
        &mut self,
        mut command: Command,
        mut on_line: impl FnMut(&str),
    ) -> Result<(), BuildError> {
        self.stop.check()?;
        let program = PathBuf::from(command.get_program());
        writeln!(self.file, "$ {command:?}").io("write", &self.path)?;
        let (reader, writer) = io::pipe().io("make a pipe for", &program)?;
        let errors = writer.try_clone().io("make a pipe for", &program)?;
        command.stdin(Stdio::null()).stdout(writer).stderr(errors);
        let (mut process, kill_on_drop) = (self.spawn)(command).io("start", &program)?;
        let stopped = self.stop.running(kill_on_drop);
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.io("read from", &program)?;
            let line = String::from_utf8_lossy(&line);
            writeln!(self.file, "{line}").io("write", &self.path)?;
            on_line(&line);
        }
        let status = process.wait().io("wait for", &program)?;
        stopped.and_then(|()| self.stop.ended())?;
        if status.success() {
            return Ok(());
        }
        Err(BuildError::Program {
            program: program.display().to_string(),
            status: status.to_string(),
            log: self.path.clone(),
            tail: self.tail(),
        })
    }

    fn tail(&self) -> String {
        let text = fs::read(&self.path).unwrap_or_default();
        tail(&String::from_utf8_lossy(&text))
    }
}

/// The last lines, marked as a quotation.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL);
    let quoted: Vec<String> = lines[from..]
        .iter()
        .map(|line| format!("  | {line}"))
        .collect();
    quoted.join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::CommandExt;
    use std::thread;

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    use tempfile::TempDir;

    use super::*;

    /// A thread kills the program's process group when the descriptor closes.
    fn spawn(mut command: Command) -> io::Result<(Child, OwnedFd)> {
        let (mut reader, writer) = io::pipe()?;
        let child = command.process_group(0).spawn()?;
        let group = Pid::from_raw(child.id().cast_signed());
        thread::spawn(move || {
            reader.read_to_end(&mut Vec::new()).unwrap();
            killpg(group, Signal::SIGKILL).ok();
        });
        Ok((child, writer.into()))
    }

    fn log(stop: &Stop) -> (TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path().join("log"), spawn, stop.clone()).unwrap();
        (folder, log)
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_logged_and_handed_over() {
        let (_folder, mut log) = log(&Stop::default());
        let mut lines = Vec::new();
        log.run(shell("echo one; echo two >&2"), |line| {
            lines.push(line.to_owned());
        })
        .unwrap();
        assert_eq!(lines, ["one", "two"]);
        let text = fs::read_to_string(log.path()).unwrap();
        assert!(text.ends_with("one\ntwo\n"), "{text}");
    }

    #[test]
    fn a_failure_names_the_program_and_the_log_and_quotes_its_end() {
        let (_folder, mut log) = log(&Stop::default());
        let error = log.run(shell("seq 100; exit 3"), |_| {}).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("sh failed (exit status: 3)"), "{text}");
        assert!(text.contains(&log.path().display().to_string()), "{text}");
        assert!(text.contains("| 86\n"), "{text}");
        assert!(text.ends_with("| 100"), "{text}");
        assert!(!text.contains("| 85"), "{text}");
    }

    #[test]
    fn a_stop_kills_the_program_that_runs_and_prevents_the_next() {
        let stop = Stop::default();
        let (_folder, mut log) = log(&stop);
        // The shell waits for sleep, which is killed with it.
        let stopped = log.run(shell("echo started; sleep 1000; echo over"), |line| {
            assert_eq!(line, "started");
            stop.stop();
        });
        assert!(matches!(stopped, Err(BuildError::Stopped)), "{stopped:?}");
        let next = log.run(shell("echo next"), |line| panic!("{line}"));
        assert!(matches!(next, Err(BuildError::Stopped)), "{next:?}");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let (_folder, mut log) = log(&Stop::default());
        let error = log
            .run(Command::new("no-such-program"), |_| {})
            .unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}
