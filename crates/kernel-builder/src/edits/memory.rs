//! The memory of a guest.

use super::Edit;

/// The environment variable with the number of the inherited descriptor of a guest's memory. Only
/// the harness sets it. Without it a kernel creates a file of its own.
pub const MEMORY_DESCRIPTOR: &str = "DEADPEER_MEMORY";

/// The memory is an inherited file. The kernel clears the pages that the file already has, and maps
/// them in one call.
///
/// User-mode Linux creates an unnamed file. The first access to each of its pages costs the host a
/// fault and an allocation: 3 us each for about 5000 pages, a fifth of the time of a guest. A file
/// that an earlier guest has used has its pages already. Clearing them takes a tenth of that time,
/// and mapping them together another tenth.
pub(crate) fn memory() -> [Edit; 4] {
    [inherited(), cleared(), physical(), later()]
}

/// The directory is still chosen: Linux 7.2 also uses it if the host does not execute unnamed
/// files.
fn inherited() -> Edit {
    Edit {
        path: "arch/um/os-Linux/mem.c",
        old: "#ifdef O_TMPFILE\n\tfd = open(tempdir, O_CLOEXEC | O_RDWR | O_EXCL | O_TMPFILE, 0700);\n",
        new: format!(
            "\
\tif (getenv(\"{MEMORY_DESCRIPTOR}\")) {{
\t\tfd = fcntl(atoi(getenv(\"{MEMORY_DESCRIPTOR}\")), F_DUPFD_CLOEXEC, 0);
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

/// A host before Linux 5.14 does not have `MADV_POPULATE_READ`. It maps each page when the page is
/// cleared.
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

/// The file begins with the image of the kernel's own program. Guest programs see only two pages of
/// it, the stub and the zero page. An earlier guest's kernel may have had them at other offsets.
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

/// The gap after the kernel's heap becomes memory later.
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
