//! What a guest's programs run in, since Linux 6.16: a program of its own on the host, which stops by seccomp where the host lets it.

use super::Edit;

pub(super) fn programs() -> [Edit; 2] {
    [kept(), older_hosts()]
}

/// It inherits no descriptor of the kernel but that of the memory. Where seccomp cannot be had and it is stopped by ptrace, it maps by the
/// kernel's numbers.
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

/// It is a file without a name that can be executed. Before Linux 6.3 a host does not know the flag that asks for that (`MFD_EXEC`), and
/// executes any.
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
