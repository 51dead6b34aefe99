//! What a guest finds in its memory when it starts: this program, its libraries, modules, and a job.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::archive::Archive;
use super::modules::Module;
use super::program::Program;

/// Where the guest finds its job.
pub(super) const JOB: &str = "/job";

/// Where the guest finds the modules to load; their names are in the order of loading.
pub(super) const MODULES: &str = "/modules";

/// Where the loader is told to look for libraries.
pub(super) const LIBRARIES: &str = "/lib";

/// An image in a file without a name: there is nothing to remove, whichever way the harness ends.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) file: OwnedFd,
}

impl Image {
    /// The image for one guest.
    ///
    /// # Errors
    /// Where this program's files cannot be read, or there is no memory for them.
    pub(super) fn new(modules: &[Module], job: &[u8]) -> io::Result<Self> {
        let base = base()?;
        let mut archive = Archive::default();
        archive.file(JOB, job)?;
        archive.folder(MODULES)?;
        for (position, module) in modules.iter().enumerate() {
            let path = format!("{MODULES}/{position:03}-{}", module.name);
            archive.file(&path, &module.content)?;
        }
        let rest = archive.finish()?;
        let mut file = File::from(memfd_create(c"deadpeer-guest", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(base)?;
        file.write_all(&rest)?;
        Ok(Self { file: file.into() })
    }
}

/// All but the modules and the job: the same for each guest, so it is made once.
fn base() -> io::Result<&'static [u8]> {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(base) = BASE.get() {
        return Ok(base);
    }
    let base = pack(&Program::running()?)?;
    Ok(BASE.get_or_init(|| base))
}

fn pack(program: &Program) -> io::Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["/proc", "/sys", "/dev", "/tmp"] {
        archive.folder(folder)?;
    }
    // The kernel opens it for init before init can mount anything.
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
