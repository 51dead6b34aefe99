//! The running program as files: the executable, its dynamic loader and its shared libraries, which
//! are sufficient to run the program where no other file exists.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::mem::offset_of;
use std::path::{Path, PathBuf};

use object::LittleEndian;
use object::elf::{DT_SONAME, FileHeader64, PT_LOAD, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

type Header = FileHeader64<LittleEndian>;

/// The number of bytes that contain the ELF header and the program headers. Linkers place them at
/// the start of the file.
const HEADERS: u64 = 4096;

/// A program and the files that its loader needs.
#[derive(Debug)]
pub(super) struct Program {
    /// The executable up to the end of its last loaded segment. The rest of a debug build is debug
    /// information, which is the larger part.
    pub(super) executable: Vec<u8>,
    /// The dynamic loader, named by the path in the executable; `None` for a static program.
    pub(super) interpreter: Option<File>,
    /// The shared libraries, each named by its soname.
    pub(super) libraries: Vec<File>,
}

/// A file.
#[derive(Debug)]
pub(super) struct File {
    /// The name; for the dynamic loader, the path.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

impl Program {
    /// The files of this process's program. The libraries are those that are mapped at present,
    /// which are by definition the ones that the program uses.
    pub(super) fn running() -> io::Result<Self> {
        let executable = without_sections(read_loaded(Path::new("/proc/self/exe"))?)?;
        let interpreter = Elf::parse(&executable)?
            .interpreter()?
            .map(|path| {
                read(Path::new(&path)).map(|content| File {
                    name: path,
                    content,
                })
            })
            .transpose()?;
        let libraries = match interpreter {
            None => Vec::new(),
            Some(_) => mapped_libraries()?,
        };
        Ok(Self {
            executable,
            interpreter,
            libraries,
        })
    }
}

fn mapped_libraries() -> io::Result<Vec<File>> {
    let own_path = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut libraries = Vec::new();
    for path in executable_mappings(&maps) {
        if path == own_path {
            continue;
        }
        let content = read(&path)?;
        // Files other than libraries can be mapped for execution too.
        if let Ok(elf) = Elf::parse(&content) {
            let name = elf.soname().map_err(io::Error::other)?;
            libraries.push(File {
                name: name.unwrap_or_else(|| file_name(&path)),
                content,
            });
        }
    }
    Ok(libraries)
}

/// The files that are mapped for execution. `maps` is the text of `/proc/self/maps`.
fn executable_mappings(maps: &str) -> BTreeSet<PathBuf> {
    maps.lines()
        .filter(|line| {
            line.split(' ')
                .nth(1)
                .is_some_and(|flags| flags.contains('x'))
        })
        .filter_map(|line| line.find('/').map(|start| PathBuf::from(&line[start..])))
        .collect()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Reads an executable up to the end of its last loaded segment, and not the rest: debug
/// information is the larger part.
fn read_loaded(path: &Path) -> io::Result<Vec<u8>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = fs::File::open(path).map_err(named)?;
    let mut content = Vec::new();
    let mut more = |content: &mut Vec<u8>, end: u64| {
        let rest = end.saturating_sub(content.len() as u64);
        (&mut file).take(rest).read_to_end(content).map(drop)
    };
    more(&mut content, HEADERS).map_err(named)?;
    let end = Elf::parse(&content)?
        .loaded_end()
        .ok_or_else(|| io::Error::other("the executable has no loaded segment"))?;
    more(&mut content, end).map_err(named)?;
    Ok(content)
}

/// An ELF file: the header and the program headers.
struct Elf<'file> {
    file: &'file [u8],
    header: &'file Header,
    endian: LittleEndian,
    segments: &'file [ProgramHeader64<LittleEndian>],
}

impl<'file> Elf<'file> {
    fn parse(file: &'file [u8]) -> io::Result<Self> {
        let header = Header::parse(file).map_err(io::Error::other)?;
        let endian = header.endian().map_err(io::Error::other)?;
        let segments = header
            .program_headers(endian, file)
            .map_err(io::Error::other)?;
        Ok(Self {
            file,
            header,
            endian,
            segments,
        })
    }

    /// The path of the dynamic loader; `None` for a static program.
    fn interpreter(&self) -> io::Result<Option<String>> {
        for segment in self.segments {
            let path = segment.interpreter(self.endian, self.file);
            if let Some(path) = path.map_err(io::Error::other)? {
                return Ok(Some(String::from_utf8_lossy(path).into_owned()));
            }
        }
        Ok(None)
    }

    /// The soname of the library.
    fn soname(&self) -> object::Result<Option<String>> {
        let sections = self.header.sections(self.endian, self.file)?;
        let dynamic = sections.dynamic_table(self.endian, self.file)?;
        let name = dynamic.iter().find(|entry| entry.tag == DT_SONAME);
        name.map(|entry| dynamic.string(entry))
            .transpose()
            .map(|name| name.map(|name| String::from_utf8_lossy(name).into_owned()))
    }

    /// The offset in the file of the end of the last loaded segment.
    fn loaded_end(&self) -> Option<u64> {
        self.segments
            .iter()
            .filter(|segment| segment.p_type(self.endian) == PT_LOAD)
            .map(|segment| segment.p_offset(self.endian) + segment.p_filesz(self.endian))
            .max()
    }
}

/// Makes a valid executable of one that was cut off after its last loaded segment.
fn without_sections(mut file: Vec<u8>) -> io::Result<Vec<u8>> {
    // The section headers are cut off, so the header must not refer to them.
    for (offset, size) in [
        (offset_of!(Header, e_shoff), 8),
        (offset_of!(Header, e_shnum), 2),
        (offset_of!(Header, e_shstrndx), 2),
    ] {
        file[offset..offset + size].fill(0);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_is_cut_and_comes_with_its_loader_and_libraries() {
        let program = Program::running().unwrap();
        let whole = fs::metadata("/proc/self/exe").unwrap().len();
        assert!((program.executable.len() as u64) < whole);
        let cut = Elf::parse(&program.executable).unwrap();
        assert!(
            cut.header
                .section_headers(cut.endian, cut.file)
                .unwrap()
                .is_empty()
        );
        let interpreter = program.interpreter.unwrap();
        assert!(interpreter.name.starts_with("/lib"), "{}", interpreter.name);
        let names: Vec<&str> = program
            .libraries
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        assert!(names.contains(&"libc.so.6"), "{names:?}");
    }

    #[test]
    fn only_what_is_executed_counts() {
        let maps = "\
            1000-2000 r--p 00000000 fe:00 11 /usr/lib/locale/C.utf8/LC_CTYPE\n\
            2000-3000 r-xp 00001000 fe:00 12 /usr/lib/libc.so.6\n\
            3000-4000 r-xp 00000000 00:00 0  [vdso]\n\
            4000-5000 rw-p 00003000 fe:00 12 /usr/lib/libc.so.6\n";
        let paths: Vec<PathBuf> = executable_mappings(maps).into_iter().collect();
        assert_eq!(paths, [PathBuf::from("/usr/lib/libc.so.6")]);
    }
}
