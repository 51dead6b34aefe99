//! The initramfs of a guest: this program, its libraries, kernel modules, and a job.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::archive::Archive;
use super::modules::Module;
use super::program::Program;

/// The path of the job in the guest.
pub(super) const JOB: &str = "/job";

/// The directory of the modules in the guest. The order of the file names is the order of loading.
pub(super) const MODULES: &str = "/modules";

/// The directory of the shared libraries in the guest, for `LD_LIBRARY_PATH`.
pub(super) const LIBRARIES: &str = "/lib";

/// The initramfs, as two archives that the kernel unpacks one after the other. Both files are
/// unnamed, so that nothing remains when the harness ends for any reason.
#[derive(Debug)]
pub(super) struct Image {
    /// This program and its libraries. All guests share the file, and none can write to it.
    pub(super) program: OwnedFd,
    /// The modules and the job of one guest.
    pub(super) job: OwnedFd,
}

impl Image {
    /// The initramfs for one guest.
    ///
    /// # Errors
    /// The files of this program cannot be read, or there is no memory for the archives.
    pub(super) fn new(modules: &[Module], job: &[u8]) -> io::Result<Self> {
        let mut archive = Archive::default();
        archive.file(JOB, job)?;
        archive.folder(MODULES)?;
        for (position, module) in modules.iter().enumerate() {
            let path = format!("{MODULES}/{position:03}-{}", module.name);
            archive.file(&path, &module.content)?;
        }
        Ok(Self {
            program: program()?.try_clone()?.into(),
            job: sealed(&archive.finish()?)?.into(),
        })
    }

    /// Both archives in one file, since QEMU accepts only one.
    pub(super) fn joined(self) -> io::Result<OwnedFd> {
        let whole = [content(self.program.into())?, content(self.job.into())?].concat();
        sealed(&whole).map(OwnedFd::from)
    }
}

/// The archive of this program. It is created once, since it is the same for all guests.
fn program() -> io::Result<&'static File> {
    static MADE: OnceLock<File> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made);
    }
    let made = sealed(&pack(&Program::running()?)?)?;
    Ok(MADE.get_or_init(|| made))
}

/// A file in memory with this content, sealed against changes.
pub(super) fn sealed(content: &[u8]) -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"deadpeer-guest", flags)?);
    file.write_all(content)?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

/// Reads a whole file without its file position, which all guests share.
fn content(file: File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut content = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut content, 0)?;
    Ok(content)
}

fn pack(program: &Program) -> io::Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["/proc", "/sys", "/dev", "/tmp"] {
        archive.folder(folder)?;
    }
    // The kernel opens the console for init before init can mount devtmpfs.
    archive.device("/dev/console", (5, 1))?;
    archive.file("/init", &program.executable)?;
    if let Some(interpreter) = &program.interpreter {
        archive.file(&interpreter.name, &interpreter.content)?;
    }
    for library in &program.libraries {
        archive.file(&format!("{LIBRARIES}/{}", library.name), &library.content)?;
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_same_for_all_and_neither_part_can_be_written_to() {
        let [one, other] = [b"one", b"two"].map(|job| Image::new(&[], job).unwrap());
        for part in [&one.program, &one.job] {
            let mut part = File::from(part.try_clone().unwrap());
            let refused = part.write_all(b"x").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        }
        let read = |part: OwnedFd| content(part.into()).unwrap();
        let program = read(one.program.try_clone().unwrap());
        assert_eq!(program, read(other.program));
        let job = read(one.job.try_clone().unwrap());
        assert_ne!(job, read(other.job));
        assert_eq!(read(one.joined().unwrap()), [program, job].concat());
    }
}
