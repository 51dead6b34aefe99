//! Programs that do the work: all that they say goes to a log, and none outlives the harness.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{BuildError, Io};
use super::stop::Stop;
use crate::sys;

/// How many lines of the log an error shows.
const TAIL: usize = 15;

/// Where all programs of a build write to.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    stop: Stop,
}

impl Log {
    /// Begins anew.
    pub(super) fn create(path: PathBuf, stop: Stop) -> Result<Self, BuildError> {
        File::create(&path).io("write", &path)?;
        // Appending, so that a tail -f, and whoever else has it open, sees a log and no holes.
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .io("write", &path)?;
        Ok(Self { path, file, stop })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a program to its end, and hands over each line that it writes.
    pub(super) fn run(
        &mut self,
        mut command: Command,
        mut on_line: impl FnMut(&str),
    ) -> Result<(), BuildError> {
        self.stop.check()?;
        let program = PathBuf::from(command.get_program());
        writeln!(self.file, "$ {command:?}").io("write", &self.path)?;
        let (reading, writing) = std::io::pipe().io("make a pipe for", &program)?;
        let error_end = writing.try_clone().io("make a pipe for", &program)?;
        command
            .stdin(Stdio::null())
            .stdout(writing)
            .stderr(error_end);
        let leash = sys::leash(&mut command, Vec::new()).io("start", &program)?;
        let mut process = command.spawn().io("start", &program)?;
        // It holds the writing end, and the end of what is written would never come.
        drop(command);
        // Not before it runs: a leash that is let go of earlier holds nothing yet.
        let held = self.stop.hold(leash);
        for line in BufReader::new(reading).split(b'\n') {
            let line = line.io("read from", &program)?;
            let line = String::from_utf8_lossy(&line);
            writeln!(self.file, "{line}").io("write", &self.path)?;
            on_line(&line);
        }
        let status = process.wait().io("wait for", &program)?;
        held.and_then(|()| self.stop.release())?;
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
        let text = std::fs::read(&self.path).unwrap_or_default();
        tail(&String::from_utf8_lossy(&text))
    }
}

/// The last lines, marked as quoted.
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
    use std::fs;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_logged_and_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path().join("log"), Stop::default()).unwrap();
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::create(path.clone(), Stop::default()).unwrap();
        let error = log.run(shell("seq 100; exit 3"), |_| {}).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("sh failed (exit status: 3)"), "{text}");
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains("| 86\n"), "{text}");
        assert!(text.ends_with("| 100"), "{text}");
        assert!(!text.contains("| 85"), "{text}");
    }

    #[test]
    fn a_program_that_runs_is_stopped_and_none_follows() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Stop::default();
        let mut log = Log::create(folder.path().join("log"), stop.clone()).unwrap();
        // The shell would wait for what it has started.
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
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path().join("log"), Stop::default()).unwrap();
        let error = log
            .run(Command::new("no-such-program"), |_| {})
            .unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}
