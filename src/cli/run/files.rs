//! The files that a run leaves: whole or not at all, and those of the user who called.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{PermissionsExt, chown, fchown};
use std::path::Path;

use anyhow::Context;
use deadpeer::guest::kernel::caller;
use deadpeer::record::Record;
use nix::unistd::User;

use crate::cli::load::STREAM;
use crate::cli::unless_unread;

/// Whose the files are.
pub(super) struct Files {
    /// The user who called sudo.
    owner: Option<User>,
}

impl Files {
    /// To be called before the process enters a user namespace of its own, where nothing tells any more who called sudo.
    pub(super) fn of_caller() -> Self {
        Self { owner: caller() }
    }

    /// Finds out whether a file of that name can be written, before cases run for minutes in vain.
    pub(super) fn can_be_written(&self, path: &Path) -> anyhow::Result<()> {
        if is_stdout(path) {
            return Ok(());
        }
        let failed = || format!("cannot write {}", path.display());
        if path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory)).with_context(failed);
        }
        tempfile::tempfile_in(folder(path))
            .map(drop)
            .with_context(failed)
    }

    /// Writes a run's result.
    pub(super) fn save(&self, path: &Path, record: &Record) -> anyhow::Result<()> {
        let content = |out: &mut dyn Write| {
            serde_json::to_writer(&mut *out, record)?;
            writeln!(out)
        };
        if is_stdout(path) {
            let mut out = BufWriter::new(io::stdout().lock());
            return unless_unread(content(&mut out).and_then(|()| out.flush()));
        }
        self.write(path, content)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// What has the name already is replaced and never followed: this may be root, in a folder where others write.
    pub(super) fn write(
        &self,
        path: &Path,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let everyone = Permissions::from_mode(0o666);
        let mut builder = tempfile::Builder::new();
        let file = builder.permissions(everyone).tempfile_in(folder(path))?;
        let mut out = BufWriter::new(file);
        content(&mut out)?;
        out.flush()?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(user) = &self.owner {
            let (user, group) = (user.uid.as_raw(), user.gid.as_raw());
            fchown(file.as_file(), Some(user), Some(group))?;
        }
        file.persist(path)?;
        Ok(())
    }

    /// Gives a folder that was just made to who called.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match &self.owner {
            Some(user) => chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())),
            None => Ok(()),
        }
    }
}

/// Whether the path stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == STREAM
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
