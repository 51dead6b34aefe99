//! The modules of a distribution's kernel that a lab needs, in the order of loading.
//!
//! Packages do not contain the index that `depmod` creates at installation. The dependencies are
//! therefore read from the section `.modinfo` of each module.

mod tree;
mod wants;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tree::{Tree, unpacked, unreadable};
use wants::Wants;

/// Modules without which no lab can be built.
const NEEDED: [&str; 3] = ["af_packet", "bridge", "veth"];

/// Modules that only some scenarios need. Such a scenario reports a feature that the kernel lacks.
const OPTIONAL: [&str; 16] = [
    "drop_monitor",
    "dummy",
    "inet_diag",
    "ipv6",
    "nf_conntrack_netlink",
    "nf_tables",
    "nft_chain_nat",
    "nft_ct",
    "nft_masq",
    "nft_numgen",
    "nft_reject",
    "nft_reject_inet",
    "sch_netem",
    "tcp_diag",
    "tun",
    "vrf",
];

/// A kernel module, uncompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    /// The name with underscores, as in the output of `lsmod`.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// A module is missing or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// A required module is neither built in nor in the directory.
    #[error(
        "{} has no module {name}{}: is it the folder of this kernel's modules (/lib/modules/VERSION), and complete?",
        folder.display(),
        needed_by.as_ref().map(|module| format!(", which {module} depends on")).unwrap_or_default()
    )]
    Missing {
        /// The module's name.
        name: String,
        /// The module that depends on it.
        needed_by: Option<String>,
        /// The searched directory.
        folder: PathBuf,
    },
    /// A file could not be read, decompressed or parsed.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The modules that a lab needs, from a directory like `/lib/modules/VERSION`. Each module follows
/// the modules that it depends on. A directory is read only once, since decompression takes longer
/// than a boot.
///
/// # Errors
/// [`ModuleError`], if a required module is missing or a file is damaged.
pub(super) fn of(folder: &Path) -> Result<Arc<[Module]>, ModuleError> {
    static READ: Mutex<BTreeMap<PathBuf, Arc<[Module]>>> = Mutex::new(BTreeMap::new());
    // The lock is held during the reading, so that concurrent callers wait for the result.
    let mut known = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(modules) = known.get(folder) {
        return Ok(Arc::clone(modules));
    }
    let modules: Arc<[Module]> = read(folder)?.into();
    known.insert(folder.to_owned(), Arc::clone(&modules));
    Ok(modules)
}

fn read(folder: &Path) -> Result<Vec<Module>, ModuleError> {
    let mut loading = Loading {
        tree: Tree::read(folder)?,
        seen: BTreeSet::new(),
        modules: Vec::new(),
    };
    for name in NEEDED {
        loading.add(name, None)?;
    }
    for name in OPTIONAL {
        loading.add_if_there(name)?;
    }
    Ok(loading.modules)
}

/// The modules found so far, in the order of loading.
struct Loading {
    tree: Tree,
    seen: BTreeSet<String>,
    modules: Vec<Module>,
}

impl Loading {
    fn add(&mut self, name: &str, needed_by: Option<&str>) -> Result<(), ModuleError> {
        if self.tree.has_built_in(name) || !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.tree.file(name) else {
            return Err(ModuleError::Missing {
                name: name.to_owned(),
                needed_by: needed_by.map(str::to_owned),
                folder: self.tree.folder.clone(),
            });
        };
        let content = unpacked(path).map_err(unreadable(path))?;
        let wants = Wants::of(&content).map_err(unreadable(path))?;
        for dependency in wants.depends {
            self.add(&dependency, Some(name))?;
        }
        for dependency in wants.soft {
            // A soft dependency may be the name of an algorithm. The module of its portable
            // implementation has this name with the suffix `_generic`.
            self.add_if_there(&dependency)?;
            self.add_if_there(&format!("{dependency}_generic"))?;
        }
        self.modules.push(Module {
            name: name.to_owned(),
            content,
        });
        Ok(())
    }

    fn add_if_there(&mut self, name: &str) -> Result<(), ModuleError> {
        if self.tree.has(name) {
            self.add(name, None)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use lzma_rust2::{XzOptions, XzWriter};
    use object::write::Object as NewObject;
    use object::{Architecture, BinaryFormat, Endianness, SectionKind};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use tempfile::TempDir;

    use super::*;

    fn module(modinfo: &str) -> Vec<u8> {
        let mut elf = NewObject::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let name = b".modinfo".to_vec();
        let section = elf.add_section(Vec::new(), name, SectionKind::ReadOnlyData);
        elf.set_section_data(
            section,
            modinfo.replace(' ', "\0").replace('+', " ").into_bytes(),
            1,
        );
        elf.write().unwrap()
    }

    fn packed(file: &str, content: &[u8]) -> Vec<u8> {
        match file.rsplit('.').next() {
            Some("gz") => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Some("xz") => {
                let mut encoder = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Some("zst") => compress_to_vec(content, CompressionLevel::Fastest),
            _ => content.to_vec(),
        }
    }

    /// A directory with these modules and built-in modules. In `modinfo`, a blank separates the
    /// entries, and `+` stands for a blank within an entry.
    fn tree(modules: &[(&str, &str)], built_in: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let list: String = built_in
            .iter()
            .map(|name| format!("kernel/net/{name}.ko\n"))
            .collect();
        fs::write(folder.path().join("modules.builtin"), list).unwrap();
        fs::create_dir_all(folder.path().join("kernel/net/deep")).unwrap();
        for (file, modinfo) in modules {
            let path = folder.path().join("kernel/net/deep").join(file);
            fs::write(path, packed(file, &module(modinfo))).unwrap();
        }
        folder
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let modules = read(folder.path()).unwrap();
        modules.into_iter().map(|module| module.name).collect()
    }

    #[test]
    fn what_a_module_depends_on_comes_first_and_once() {
        let folder = tree(
            &[
                ("bridge.ko", "license=GPL depends=stp,llc name=bridge"),
                ("stp.ko.gz", "depends=llc"),
                ("llc.ko.xz", "depends="),
                ("veth.ko.zst", "depends="),
            ],
            &["af_packet", "ipv6"],
        );
        assert_eq!(names(&folder), ["llc", "stp", "bridge", "veth"]);
        for module in read(folder.path()).unwrap() {
            assert!(module.content.starts_with(b"\x7fELF"), "{}", module.name);
        }
    }

    #[test]
    fn a_folder_is_read_once_and_one_that_is_damaged_again() {
        let folder = tree(&[("veth.ko", "depends=")], &["af_packet"]);
        assert!(of(folder.path()).is_err(), "there is no bridge");
        let list = "kernel/net/af_packet.ko\nkernel/net/bridge.ko\n";
        fs::write(folder.path().join("modules.builtin"), list).unwrap();
        let first = of(folder.path()).unwrap();
        fs::remove_dir_all(folder.path().join("kernel")).unwrap();
        assert_eq!(of(folder.path()).unwrap(), first);
        assert_eq!(first.len(), 1);
    }

    #[test]
    fn soft_dependencies_are_modules_or_algorithms() {
        let folder = tree(
            &[
                ("nf_tables.ko", "depends=libcrc32c,nf-conntrack"),
                ("nf-conntrack.ko", "softdep=post:+after"),
                (
                    "libcrc32c.ko",
                    "depends= softdep=pre:+crc32c+sha9+post:+after",
                ),
                ("crc32c_generic.ko", "alias=crypto-crc32c"),
                ("after.ko", "depends="),
            ],
            &["af_packet", "bridge", "veth"],
        );
        let expected = ["crc32c_generic", "libcrc32c", "nf_conntrack", "nf_tables"];
        assert_eq!(names(&folder), expected);
    }

    #[test]
    fn what_is_missing_is_named_with_what_needs_it() {
        let folder = tree(&[("bridge.ko", "depends=stp")], &["af_packet", "veth"]);
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("no module stp, which bridge depends on"),
            "{message}"
        );
        let folder = tree(&[], &["af_packet", "bridge"]);
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("no module veth: is it"), "{message}");
    }

    #[test]
    fn a_damaged_module_is_named() {
        let folder = tree(&[], &["af_packet", "bridge"]);
        let path = folder.path().join("kernel/veth.ko.xz");
        fs::write(&path, "not compressed").unwrap();
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("cannot read {}: ", path.display())),
            "{message}"
        );
    }
}
