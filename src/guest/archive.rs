//! The cpio archive (newc format) that the kernel unpacks into its initial root file system.

use std::collections::BTreeSet;
use std::io::{self, Write};

use cpio::newc::{Builder, ModeFileType, trailer};

const PAGE: usize = 4096;

/// The length of an entry's header in bytes: 110 bytes, the path and a zero byte, padded to a
/// multiple of four (`cpio.5`, newc).
fn header(path: &str) -> usize {
    (110 + path.trim_start_matches('/').len() + 1).next_multiple_of(4)
}

/// An archive of files and their directories. The kernel accepts several archives in sequence and
/// unpacks each one over the previous ones.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// Adds a regular file with mode 0755. `path` is absolute, as in the guest.
    ///
    /// Content of one page or more starts on a page boundary and shares no page with another entry,
    /// so that a kernel that maps the archive need not copy the content.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.folders_above(path)?;
        let has_pages = content.len() >= PAGE;
        if has_pages {
            self.pad(header(path));
        }
        self.entry(path, ModeFileType::Regular, 0o755, (0, 0), content)?;
        if has_pages {
            self.pad(0);
        }
        Ok(())
    }

    /// Appends zero bytes so that a page boundary follows after `more` further bytes. The kernel
    /// ignores zero bytes between entries (`do_reset` in `init/initramfs.c`).
    fn pad(&mut self, more: usize) {
        let end = (self.bytes.len() + more).next_multiple_of(PAGE) - more;
        self.bytes.resize(end, 0);
    }

    /// Adds a directory, unless the archive already contains it.
    pub(super) fn folder(&mut self, path: &str) -> io::Result<()> {
        self.folders_above(path)?;
        if self.folders.insert(path.to_owned()) {
            self.entry(path, ModeFileType::Directory, 0o755, (0, 0), &[])?;
        }
        Ok(())
    }

    /// Adds a character device with this major and minor number.
    pub(super) fn device(&mut self, path: &str, number: (u32, u32)) -> io::Result<()> {
        self.folders_above(path)?;
        self.entry(path, ModeFileType::Char, 0o600, number, &[])
    }

    /// Appends the trailer and returns the bytes of the archive.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        trailer(self.bytes)
    }

    /// Adds the parent directories of a path. The kernel creates only the directories that have an
    /// entry.
    fn folders_above(&mut self, path: &str) -> io::Result<()> {
        let inner = path.char_indices().skip(1).filter(|(_, c)| *c == '/');
        inner
            .map(|(end, _)| &path[..end])
            .try_for_each(|above| self.folder(above))
    }

    fn entry(
        &mut self,
        path: &str,
        kind: ModeFileType,
        permissions: u32,
        device: (u32, u32),
        content: &[u8],
    ) -> io::Result<()> {
        let size = u32::try_from(content.len())
            .map_err(|_| io::Error::other(format!("{path} is larger than 4 GiB")))?;
        self.entries += 1;
        let mut writer = Builder::new(path.trim_start_matches('/'))
            .ino(self.entries)
            .mode(permissions)
            .set_mode_file_type(kind)
            .rdev_major(device.0)
            .rdev_minor(device.1)
            .write(&mut self.bytes, size);
        writer.write_all(content)?;
        writer.finish().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use cpio::newc::Reader;

    use super::*;

    #[test]
    fn large_files_have_their_pages_for_themselves() {
        let mut archive = Archive::default();
        archive.file("/small", b"small").unwrap();
        for (path, size) in [("/a", PAGE), ("/another/path", PAGE + 1), ("/c", 3 * PAGE)] {
            archive.file(path, &vec![0xff; size]).unwrap();
        }
        archive.file("/last", b"small").unwrap();
        let bytes = archive.finish().unwrap();
        let pages = bytes.chunks(PAGE);
        let kinds: String = pages
            .map(
                |page| match page.iter().filter(|byte| **byte == 0xff).count() {
                    0 => '.',
                    PAGE => '#',
                    1 if page[0] == 0xff && page[1..].iter().all(|byte| *byte == 0) => '1',
                    _ => '!',
                },
            )
            .collect();
        assert_eq!(kinds, ".#.#1.###.");
    }

    #[test]
    fn a_file_comes_after_its_folders_and_each_folder_once() {
        let mut archive = Archive::default();
        archive.file("/lib/deep/one", b"1").unwrap();
        archive.file("/lib/deep/two", b"22").unwrap();
        archive.device("/dev/console", (5, 1)).unwrap();
        let bytes = archive.finish().unwrap();
        let mut rest = bytes.as_slice();
        let mut seen = Vec::new();
        loop {
            let mut reader = Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut content = String::new();
            reader.read_to_string(&mut content).unwrap();
            let entry = reader.entry();
            seen.push(format!("{:o} {} {content}", entry.mode(), entry.name()));
            rest = reader.finish().unwrap();
        }
        let expected = [
            "40755 lib ",
            "40755 lib/deep ",
            "100755 lib/deep/one 1",
            "100755 lib/deep/two 22",
            "40755 dev ",
            "20600 dev/console ",
        ];
        assert_eq!(seen, expected);
    }
}
