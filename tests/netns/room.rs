//! Empty directories for a run of the harness, so that files that it leaves behind are detected.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use tempfile::TempDir;

/// The current directory, the home directory and the directory for temporary files of one run, all
/// empty and writable for all users.
pub(crate) struct Room {
    folder: TempDir,
}

const PLACES: [&str; 3] = ["here", "home", "tmp"];

impl Room {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        for place in PLACES {
            let path = folder.path().join(place);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o777))?;
        }
        Ok(Self { folder })
    }

    pub(crate) fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Fails with the names of the files in the directories, if there are any.
    pub(crate) fn still_empty(&self) -> anyhow::Result<()> {
        let mut found = Vec::new();
        for place in PLACES {
            found.extend(names(&self.folder.path().join(place))?);
        }
        ensure!(found.is_empty(), "files were left behind: {found:?}");
        Ok(())
    }
}

fn names(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    entries.collect()
}
