//! Where a guest's memory comes from.

use super::Edit;

/// The environment variable that holds the number of the inherited descriptor. Nothing but the harness sets it: without, a kernel makes
/// a file of its own.
pub(in crate::guest) const DESCRIPTOR: &str = "DEADPEER_MEMORY";

/// Memory is a file that is inherited. What that file has already is cleared, and mapped at once.
///
/// User-mode Linux makes a file without a name in a folder, and each page of it costs the host a fault and an allocation when it is touched
/// first: 3 us, for some 5000 pages a fifth of all that a guest took. A file that another guest has had has its pages. To clear them takes
/// a tenth of that, and to map them together a tenth more.
pub(super) fn memory() -> [Edit; 4] {
    [inherited(), cleared(), physical(), later()]
}

/// The folder is chosen all the same: 7.2 has another use for it where the host executes no file without a name.
fn inherited() -> Edit {
    Edit {
        path: "arch/um/os-Linux/mem.c",
        old: "#ifdef O_TMPFILE\n\tfd = open(tempdir, O_CLOEXEC | O_RDWR | O_EXCL | O_TMPFILE, 0700);\n",
        new: format!(
            "\
\tif (getenv(\"{DESCRIPTOR}\")) {{
\t\tfd = fcntl(atoi(getenv(\"{DESCRIPTOR}\")), F_DUPFD_CLOEXEC, 0);
\t\tif (fd < 0)
\t\t\tperror(\"the memory that is inherited\");
\t\treturn fd;
\t}}

#ifdef O_TMPFILE
\tfd = open(tempdir, O_CLOEXEC | O_RDWR | O_EXCL | O_TMPFILE, 0700);
"
        ),
    }
}

/// A host before Linux 5.14 does not know the advice: each page is mapped when it is cleared.
fn cleared() -> Edit {
    Edit {
        path: "arch/um/os-Linux/mem.c",
        old: "int __init create_mem_file(unsigned long long len)\n{\n",
        new: "\
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

extern void um_forget_program(int fd, unsigned long start);

void um_forget_program(int fd, unsigned long start)
{
\tif (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
\t\t      (unsigned long)sbrk(0) - start)) {
\t\tperror(\"the memory of another machine\");
\t\texit(1);
\t}
}

extern void um_clear_memory(void *area, int fd, unsigned long long start,
\t\t\t unsigned long long len);

void um_clear_memory(void *area, int fd, unsigned long long start,
\t\t  unsigned long long len)
{
\tunsigned long long end = start + len;
\toff_t data, hole;

\tfor (hole = start; hole < end;) {
\t\tvoid *part;
\t\tsize_t count;

\t\tdata = lseek(fd, hole, SEEK_DATA);
\t\tif (data < 0 || data >= end)
\t\t\treturn;
\t\thole = lseek(fd, data, SEEK_HOLE);
\t\tif (hole < 0 || hole > end)
\t\t\thole = end;
\t\tpart = area + (data - start);
\t\tcount = hole - data;
\t\tmadvise(part, count, MADV_POPULATE_READ);
\t\t/* The processor's own instruction: what the kernel has instead is for processors that have a slow one. */
\t\tasm volatile(\"rep stosb\" : \"+D\" (part), \"+c\" (count) : \"a\" (0) : \"memory\");
\t}
}

int __init create_mem_file(unsigned long long len)
{
"
        .to_owned(),
    }
}

/// At the beginning, in the place of the kernel's own program, are the only two pages of it that programs see: the stub, and the page of
/// zeros. Another kernel may have them elsewhere.
fn physical() -> Edit {
    Edit {
        path: "arch/um/kernel/physmem.c",
        old: "\t/*\n\t * Special kludge - This page will be mapped in to userspace processes\n",
        new: "\
\t{
\t\textern void um_forget_program(int fd, unsigned long start);
\t\textern void um_clear_memory(void *area, int fd,
\t\t\t\t\t unsigned long long start,
\t\t\t\t\t unsigned long long len);

\t\tum_forget_program(physmem_fd, start);
\t\tum_clear_memory((void *)reserve_end, physmem_fd, reserve, map_size);
\t}

\t/*
\t * Special kludge - This page will be mapped in to userspace processes
"
        .to_owned(),
    }
}

/// What lies between the kernel's heap and the rest becomes memory later.
fn later() -> Edit {
    Edit {
        path: "arch/um/kernel/mem.c",
        old: "\tmap_memory(brk_end, __pa(brk_end), uml_reserved - brk_end, 1, 1, 0);\n",
        new: "\
\tmap_memory(brk_end, __pa(brk_end), uml_reserved - brk_end, 1, 1, 0);
\t{
\t\textern void um_clear_memory(void *area, int fd,
\t\t\t\t\t unsigned long long start,
\t\t\t\t\t unsigned long long len);
\t\tunsigned long long offset;
\t\tint fd = phys_mapping(__pa(brk_end), &offset);

\t\tum_clear_memory((void *)brk_end, fd, offset, uml_reserved - brk_end);
\t}
"
        .to_owned(),
    }
}
