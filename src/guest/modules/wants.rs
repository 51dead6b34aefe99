//! The dependencies of a module, from its section `.modinfo`.

use std::io;

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

/// The modules to load before a module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// The required modules.
    pub(super) depends: Vec<String>,
    /// The soft dependencies, which may be missing.
    pub(super) soft: Vec<String>,
}

impl Wants {
    pub(super) fn of(module: &[u8]) -> io::Result<Self> {
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

/// The modules of a soft dependency that are loaded before the module: `a` and `b` in `pre: a b
/// post: c`.
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
