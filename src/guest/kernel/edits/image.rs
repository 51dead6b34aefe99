//! What a guest boots from.

use super::Edit;

/// The files that `initrd=` names, separated by commas, are mapped one after the other, each from a page on.
///
/// User-mode Linux takes one file, clears as much memory and reads the file into it: for a program of some megabytes that is a fifth of
/// all that a boot does. Mapped files are shared by all guests, and what is the same for each need not be written for each. The memory
/// behind them is never the guest's own, so they must not be freed (`retain_initrd`).
pub(super) fn image() -> Edit {
    Edit {
        path: "arch/um/kernel/initrd.c",
        old: "\
int __init read_initrd(void)
{
\tunsigned long long size;
\tvoid *area;

\tif (!initrd)
\t\treturn 0;

\tarea = uml_load_file(initrd, &size);
\tif (!area)
\t\treturn 0;
",
        new: "\
static unsigned long long __init map_file(const char *name, void *area)
{
\tunsigned long long size;
\tint fd, err;

\terr = os_file_size(name, &size);
\tif (err)
\t\tpanic(\"initrd %s: no size, err = %d\\n\", name, err);
\tsize = PAGE_ALIGN(size);
\tif (!area)
\t\treturn size;
\tfd = os_open_file(name, of_read(OPENFLAGS()), 0);
\tif (fd < 0)
\t\tpanic(\"initrd %s: not opened, err = %d\\n\", name, fd);
\terr = os_map_memory(area, fd, 0, size, 1, 0, 0);
\tif (err)
\t\tpanic(\"initrd %s: not mapped, err = %d\\n\", name, err);
\tos_close_file(fd);
\treturn size;
}

/* How long they are in all; mapped where there is an area. */
static unsigned long long __init map_files(void *area)
{
\tunsigned long long total = 0;
\tchar *name = initrd, *comma;

\tdo {
\t\tcomma = strchr(name, ',');
\t\tif (comma)
\t\t\t*comma = 0;
\t\ttotal += map_file(name, area ? area + total : NULL);
\t\tif (comma)
\t\t\t*comma = ',';
\t\tname = comma + 1;
\t} while (comma);
\treturn total;
}

int __init read_initrd(void)
{
\tunsigned long long size;
\tvoid *area;

\tif (!initrd)
\t\treturn 0;

\tsize = map_files(NULL);
\tarea = memblock_alloc_raw(size, PAGE_SIZE);
\tif (!area)
\t\tpanic(\"initrd: no memory for %llu bytes\\n\", size);
\tmap_files(area);
"
        .to_owned(),
    }
}
