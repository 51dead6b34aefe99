//! Reads files that a user names. Only regular files of a bounded size are read: open(2) of a FIFO
//! blocks until a writer opens it, and a device such as `/dev/zero` has no end.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A system call failed.
    #[error(transparent)]
    System(#[from] io::Error),
    /// It is not a regular file.
    #[error("it is {0}, not a regular file")]
    NotRegular(&'static str),
    /// It is larger than the limit.
    #[error("it is larger than {} MiB", .0 >> 20)]
    TooLarge(u64),
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// See [`InputError`].
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, InputError> {
    // The type is checked before open(2), because opening a device can have side effects.
    regular(fs::metadata(path)?.file_type())?;
    let file = open(path)?;
    let metadata = file.metadata()?;
    regular(metadata.file_type())?;
    // The reported length of a file in /proc, or of a growing file, is not its real length.
    let mut bytes = Vec::new();
    if metadata.len() <= limit {
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= limit {
            return Ok(bytes);
        }
    }
    Err(InputError::TooLarge(limit))
}

/// Opens the file without blocking, in case a FIFO has replaced it since the check.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

fn regular(kind: FileType) -> Result<(), InputError> {
    Err(InputError::NotRegular(if kind.is_file() {
        return Ok(());
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a folder"
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        for (path, kind) in [
            (fifo.as_path(), "a FIFO"),
            (&link, "a FIFO"),
            (Path::new("/dev/zero"), "a device"),
            (folder.path(), "a folder"),
        ] {
            let error = read(path, 1 << 20).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("it is {kind}, not a regular file")
            );
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(&path, 1 << 20).unwrap().len(), 1 << 20);
        let error = read(&path, (1 << 20) - 1).unwrap_err();
        assert!(matches!(error, InputError::TooLarge(_)), "{error}");
    }

    #[test]
    fn a_file_without_a_length_is_read() {
        assert!(
            !read(Path::new("/proc/self/stat"), 1 << 20)
                .unwrap()
                .is_empty()
        );
        let error = read(Path::new("/proc/self/stat"), 5).unwrap_err();
        assert!(matches!(error, InputError::TooLarge(_)), "{error}");
    }
}
