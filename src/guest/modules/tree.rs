//! The files of a directory like `/lib/modules/VERSION`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

use super::ModuleError;

/// The modules in a directory, and the names of the built-in ones.
pub(super) struct Tree {
    pub(super) folder: PathBuf,
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

impl Tree {
    pub(super) fn read(folder: &Path) -> Result<Self, ModuleError> {
        let list = folder.join("modules.builtin");
        let built_in = fs::read_to_string(&list).map_err(unreadable(&list))?;
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files)?;
        Ok(Self {
            folder: folder.to_owned(),
            files,
            built_in: built_in
                .lines()
                .filter_map(|path| name(Path::new(path)))
                .collect(),
        })
    }

    pub(super) fn has_built_in(&self, name: &str) -> bool {
        self.built_in.contains(name)
    }

    /// The file of a module; `None` if the module is built in or missing.
    pub(super) fn file(&self, name: &str) -> Option<&Path> {
        self.files.get(name).map(PathBuf::as_path)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.built_in.contains(name) || self.files.contains_key(name)
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<(), ModuleError> {
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = name(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// The name of the module in a file: `nf-tables.ko.xz` holds `nf_tables`.
fn name(path: &Path) -> Option<String> {
    let (name, suffix) = path.file_name()?.to_str()?.split_once('.')?;
    matches!(suffix, "ko" | "ko.gz" | "ko.xz" | "ko.zst").then(|| name.replace('-', "_"))
}

/// The content of a module's file, decompressed.
pub(super) fn unpacked(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut content = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => GzDecoder::new(file).read_to_end(&mut content)?,
        Some("xz") => XzReader::new(file, true).read_to_end(&mut content)?,
        Some("zst") => StreamingDecoder::new(file)
            .map_err(io::Error::other)?
            .read_to_end(&mut content)?,
        _ => { &file }.read_to_end(&mut content)?,
    };
    Ok(content)
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ModuleError {
    let path = path.to_owned();
    |source| ModuleError::Unreadable { path, source }
}
