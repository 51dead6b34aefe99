//! The host process in which a guest's program runs. Since Linux 6.16 it executes a program of its
//! own, which stops by seccomp if the host permits that.

use super::Edit;

pub(crate) fn programs() -> [Edit; 2] {
    [kept(), older_hosts()]
}

/// The process inherits only the memory's descriptor. Without seccomp, under ptrace, it maps memory
/// by the kernel's descriptor numbers, so that it must inherit those of the image too.
fn kept() -> Edit {
    Edit {
        path: "arch/um/os-Linux/skas/process.c",
        old: "\tfcntl(init_data.stub_data_fd, F_SETFD, 0);\n",
        new: "\
\tfcntl(init_data.stub_data_fd, F_SETFD, 0);
\tif (!using_seccomp) {
\t\textern int image_file(int index);
\t\tint i, fd;

\t\tfor (i = 0; (fd = image_file(i)) >= 0; i++)
\t\t\tfcntl(fd, F_SETFD, 0);
\t}
"
        .to_owned(),
    }
}

/// The program is an unnamed file that must be executable. A host before Linux 6.3 does not have
/// the flag `MFD_EXEC`, and executes any such file.
fn older_hosts() -> Edit {
    Edit {
        path: "arch/um/os-Linux/skas/process.c",
        old: "\t\t\t\t   MFD_EXEC | MFD_CLOEXEC | MFD_ALLOW_SEALING);\n",
        new: "\
\t\t\t\t   MFD_EXEC | MFD_CLOEXEC | MFD_ALLOW_SEALING);
\tif (stub_exe_fd < 0 && errno == EINVAL)
\t\tstub_exe_fd = memfd_create(\"uml-userspace\",
\t\t\t\t\t   MFD_CLOEXEC | MFD_ALLOW_SEALING);
"
        .to_owned(),
    }
}
