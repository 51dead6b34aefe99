//! The modules that a distribution's kernel needs before it can do what a lab asks for, in the order in which they are loaded.
//!
//! Packages come without the index that `depmod` makes on installation, so the modules themselves are asked: each names those that it
//! depends on in its section `.modinfo`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use lzma_rust2::XzReader;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};
use ruzstd::decoding::StreamingDecoder;

/// Without these there is no lab.
const NEEDED: [&str; 3] = ["af_packet", "bridge", "veth"];

/// These are for some scenarios, which say so themselves where the kernel lacks them.
const OPTIONAL: [&str; 9] = [
    "dummy",
    "inet_diag",
    "ipv6",
    "nf_tables",
    "sch_netem",
    "tcp_diag",
    "tun",
    "vrf",
    "nft_reject_inet",
];

/// A module as the kernel loads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    /// With underscores, as `lsmod` has it.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// Modules that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The kernel has neither built it in nor as a module.
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
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file could not be read, unpacked or understood.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads what a lab needs, from a folder like `/lib/modules/VERSION`. Each module comes after those that it depends on.
///
/// # Errors
/// [`ModuleError`], where something needed is missing or anything is damaged.
pub(super) fn read(folder: &Path) -> Result<Vec<Module>, ModuleError> {
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

/// The modules that a folder has.
struct Tree {
    folder: PathBuf,
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

impl Tree {
    fn read(folder: &Path) -> Result<Self, ModuleError> {
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

    fn has(&self, name: &str) -> bool {
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

/// The order of loading, as it comes about.
struct Loading {
    tree: Tree,
    seen: BTreeSet<String>,
    modules: Vec<Module>,
}

impl Loading {
    fn add(&mut self, name: &str, needed_by: Option<&str>) -> Result<(), ModuleError> {
        if self.tree.built_in.contains(name) || !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.tree.files.get(name) else {
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
            // An algorithm is asked for by its own name, and its portable implementation is named after it.
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

/// What a module says it wants loaded before itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wants {
    depends: Vec<String>,
    soft: Vec<String>,
}

impl Wants {
    fn of(module: &[u8]) -> io::Result<Self> {
        let elf: ElfFile64 = ElfFile64::parse(module).map_err(io::Error::other)?;
        let section = elf
            .section_by_name(".modinfo")
            .ok_or_else(|| io::Error::other("it has no section .modinfo"))?;
        Ok(Self::parse(section.data().map_err(io::Error::other)?))
    }

    /// `.modinfo` is a list of `key=value`, each ended by a zero byte.
    fn parse(section: &[u8]) -> Self {
        let mut wants = Self::default();
        for entry in String::from_utf8_lossy(section).split('\0') {
            match entry.split_once('=') {
                Some(("depends", names)) => {
                    wants.depends.extend(names.split(',').filter_map(plain))
                }
                Some(("softdep", words)) => wants.soft.extend(before(words)),
                _ => {}
            }
        }
        wants
    }
}

/// The modules of a soft dependency that come first: `pre: a b post: c`.
fn before(words: &str) -> impl Iterator<Item = String> {
    words
        .split_whitespace()
        .skip_while(|word| *word != "pre:")
        .skip(1)
        .take_while(|word| *word != "post:")
        .filter_map(plain)
}

fn plain(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.replace('-', "_"))
}

fn unpacked(path: &Path) -> io::Result<Vec<u8>> {
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

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ModuleError {
    let path = path.to_owned();
    |source| ModuleError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
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

    /// A folder with modules (a `+` in what they say is a blank), and with some built in.
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
