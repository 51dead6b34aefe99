//! Writes the output files of a run. A file is written completely or not at all, and it replaces
//! only a regular file.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::record::Record;
use anyhow::Context;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::libc;
use nix::unistd::linkat;

use crate::cli::ignore_broken_pipe;
use crate::cli::load::STREAM;

/// Checks that a file of that name can be written. This is checked before any case runs, because
/// the cases may take minutes.
pub(super) fn can_be_written(path: &Path) -> anyhow::Result<()> {
    if is_stdout(path) {
        return Ok(());
    }
    let failed = || format!("cannot write {}", path.display());
    can_be_replaced(path)
        .and_then(|()| can_be_made_in(folder(path)))
        .with_context(failed)
}

/// Checks that a file can be created in a folder.
pub(super) fn can_be_made_in(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

/// Writes the result of a run as JSON to the file, or to standard output.
pub(super) fn save(path: &Path, record: &Record) -> anyhow::Result<()> {
    let content = |out: &mut dyn Write| {
        serde_json::to_writer(&mut *out, record)?;
        writeln!(out)
    };
    if is_stdout(path) {
        let mut out = BufWriter::new(io::stdout().lock());
        return ignore_broken_pipe(content(&mut out).and_then(|()| out.flush()));
    }
    write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Returns whether the path stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == STREAM
}

/// Writes a file of that name. An existing file is replaced.
///
/// The file has no name until it is complete (`O_TMPFILE`), so a process that is killed leaves no
/// partial file behind. A temporary name is needed in two cases: for an instant when an existing
/// file is replaced, and on a file system without `O_TMPFILE`. A process that is killed then may
/// leave the temporary file; the next run removes it.
pub(super) fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    can_be_replaced(path)?;
    let staged = staged(path);
    let draft = Draft::open(folder(path), &staged)?;
    let written = draft
        .filled(content)
        .and_then(|draft| draft.publish(&staged, path));
    if written.is_err() {
        // The first error is the one to report.
        remove_stale(&staged).ok();
    }
    written
}

/// A file that is being written.
enum Draft {
    /// The file has no name yet.
    Unnamed(File),
    /// The file has the name that [`staged`] returns.
    Named(File),
}

impl Draft {
    fn open(folder: &Path, staged: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        // The umask removes bits of this mode.
        options.write(true).mode(0o666);
        let unnamed = (options.clone()).custom_flags(libc::O_TMPFILE).open(folder);
        match unnamed {
            Ok(file) => Ok(Self::Unnamed(file)),
            // open(2), O_TMPFILE: the file system or the kernel does not support it.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)
                ) =>
            {
                remove_stale(staged)?;
                options.create_new(true).open(staged).map(Self::Named)
            }
            Err(error) => Err(error),
        }
    }

    fn filled(self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let mut out = BufWriter::new(self);
        content(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn publish(self, staged: &Path, path: &Path) -> io::Result<()> {
        if let Self::Unnamed(file) = self {
            // open(2), O_TMPFILE: linkat(2) names the file by its descriptor.
            let source = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            let link = |to: &Path| {
                let follow = AtFlags::AT_SYMLINK_FOLLOW;
                linkat(AT_FDCWD, &source, AT_FDCWD, to, follow).map_err(io::Error::from)
            };
            match link(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => return linked,
            }
            remove_stale(staged)?;
            link(staged)?;
        }
        fs::rename(staged, path)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (Self::Unnamed(file) | Self::Named(file)) = self;
        file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the temporary path of a file that is about to replace `path`: in the same folder, and
/// the same in each run.
fn staged(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".deadpeer");
    path.with_file_name(name)
}

/// Removes the temporary file that a killed run has left.
fn remove_stale(staged: &Path) -> io::Result<()> {
    match fs::remove_file(staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Checks that the path does not exist, or is a regular file that can be opened for writing.
fn can_be_replaced(path: &Path) -> io::Result<()> {
    let there = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there?,
    };
    if let Some(kind) = irregular(&there) {
        let message =
            format!("it is {kind}, and only a regular file can be replaced: use another name");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NOFOLLOW);
    options.open(path).map(drop)
}

/// Returns the type of a file in words; `None` for a regular file.
fn irregular(file: &Metadata) -> Option<&'static str> {
    let kind = file.file_type();
    let names = [
        (kind.is_dir(), "a folder"),
        (kind.is_symlink(), "a symbolic link"),
        (kind.is_block_device(), "a block device"),
        (kind.is_char_device(), "a character device"),
        (kind.is_fifo(), "a FIFO"),
        (kind.is_socket(), "a socket"),
    ];
    names
        .into_iter()
        .find_map(|(is_it, name)| is_it.then_some(name))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn text(text: &'static str) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
        move |out| out.write_all(text.as_bytes())
    }

    #[test]
    fn a_file_has_no_name_before_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        for content in ["first", "second"] {
            let before = names(folder.path());
            write(&path, |out| {
                out.write_all(content.as_bytes())?;
                assert_eq!(names(folder.path()), before, "while {content} is written");
                Ok(())
            })
            .unwrap();
            assert_eq!(names(folder.path()), ["result"]);
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_to_its_end_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        fs::write(&path, "before").unwrap();
        let failed = write(&path, |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(names(folder.path()), ["result"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    }

    #[test]
    fn what_a_killed_run_has_left_is_gone_after_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        fs::write(&path, "before").unwrap();
        fs::write(staged(&path), "left").unwrap();
        write(&path, text("after")).unwrap();
        assert_eq!(names(folder.path()), ["result"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
    }

    /// As on a file system without `O_TMPFILE`.
    #[test]
    fn a_draft_with_a_name_takes_a_files_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        fs::write(&path, "before").unwrap();
        let staged = staged(&path);
        let mut draft = Draft::Named(File::create(&staged).unwrap());
        draft.write_all(b"after").unwrap();
        draft.publish(&staged, &path).unwrap();
        assert_eq!(names(folder.path()), ["result"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
    }

    #[test]
    fn what_is_no_regular_file_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        fs::write(of("file"), "").unwrap();
        fs::create_dir(of("folder")).unwrap();
        symlink(of("file"), of("link")).unwrap();
        symlink(of("nowhere"), of("dangling")).unwrap();
        mkfifo(&of("fifo"), Mode::S_IRWXU).unwrap();
        let _socket = UnixListener::bind(of("socket")).unwrap();
        let device = PathBuf::from("/dev/null");
        let before = names(folder.path());
        for (path, kind) in [
            (of("folder"), "a folder"),
            (of("link"), "a symbolic link"),
            (of("dangling"), "a symbolic link"),
            (of("fifo"), "a FIFO"),
            (of("socket"), "a socket"),
            (device, "a character device"),
        ] {
            let early = format!("{:#}", can_be_written(&path).unwrap_err());
            let late = write(&path, text("x")).unwrap_err().to_string();
            for said in [early, late] {
                assert!(said.contains(kind), "{}: {said}", path.display());
            }
        }
        assert_eq!(names(folder.path()), before);
    }

    #[test]
    fn the_umask_decides_who_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
        write(&ours, text("x")).unwrap();
        fs::write(&plain, "x").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
