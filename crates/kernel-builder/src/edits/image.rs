//! The image that a guest boots from.

use super::Edit;

/// The kernel maps the guest's program from its file on the host, and never copies a page of it.
///
/// User-mode Linux takes one file, clears as much memory, reads the file into it, and copies each
/// file of the archive into the initial root file system. For a program of some megabytes that is a
/// fifth of the boot. All guests share a mapped file, so that the part of the image that is common
/// to all of them is written once.
pub(crate) fn image() -> [Edit; 6] {
    [known(), table(), files(), pages(), adoption(), content()]
}

/// The kernel maps the files in the comma-separated list of `initrd=` one after the other, each
/// from a page boundary on. Their memory is not the guest's own and must not be freed
/// (`retain_initrd`).
fn files() -> Edit {
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
\tif (image_count == IMAGE_FILES)
\t\tpanic(\"initrd: more than %d files\\n\", IMAGE_FILES);
\timage_files[image_count].start = __pa(area);
\timage_files[image_count].size = size;
\timage_files[image_count++].fd = fd;
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

/// The table of mapped files and their addresses.
fn table() -> Edit {
    Edit {
        path: "arch/um/kernel/initrd.c",
        old: "/* Changed by uml_initrd_setup, which is a setup */\n",
        new: "\
#define IMAGE_FILES 2

static struct {
\tunsigned long start, size;
\tint fd;
} image_files[IMAGE_FILES];
static int image_count;

extern int image_mapping(unsigned long phys, unsigned long long *offset);

/* The file that this memory is, if it is one. */
int image_mapping(unsigned long phys, unsigned long long *offset)
{
\tint i;

\tfor (i = 0; i < image_count; i++) {
\t\tif (phys - image_files[i].start < image_files[i].size) {
\t\t\t*offset = phys - image_files[i].start;
\t\t\treturn image_files[i].fd;
\t\t}
\t}
\treturn -1;
}

extern int image_file(int index);

/* The files one after the other, and -1 behind the last. */
int image_file(int index)
{
\treturn index < image_count ? image_files[index].fd : -1;
}

/* Changed by uml_initrd_setup, which is a setup */
"
        .to_owned(),
    }
}

fn known() -> Edit {
    Edit {
        path: "arch/um/kernel/initrd.c",
        old: "#include <asm/types.h>\n",
        new: "#include <linux/pagemap.h>\n#include <asm/types.h>\n".to_owned(),
    }
}

/// The kernel and guest programs map such memory from the file.
fn pages() -> Edit {
    Edit {
        path: "arch/um/kernel/physmem.c",
        old: "\
int phys_mapping(unsigned long phys, unsigned long long *offset_out)
{
\tint fd = -1;

",
        new: "\
extern int image_mapping(unsigned long phys, unsigned long long *offset);

int phys_mapping(unsigned long phys, unsigned long long *offset_out)
{
\tint fd = image_mapping(phys, offset_out);

\tif (fd >= 0)
\t\treturn fd;

"
        .to_owned(),
    }
}

fn adoption() -> Edit {
    Edit {
        path: "arch/um/kernel/initrd.c",
        old: "static int __init uml_initrd_setup(char *line, int *add)\n",
        new: "\
extern bool image_content(struct file *file, void *content, size_t size);

/* Makes it the content of a file, where it begins with a page. */
bool __init image_content(struct file *file, void *content, size_t size)
{
\tunsigned long long offset;
\tsize_t done;

\tif (!PAGE_ALIGNED(content) || size < PAGE_SIZE ||
\t    image_mapping(__pa(content), &offset) < 0)
\t\treturn false;
\tfor (done = 0; done < size; done += PAGE_SIZE) {
\t\tstruct page *page = virt_to_page(content + done);
\t\tstruct folio *folio = page_folio(page);

\t\tClearPageReserved(page);
\t\tif (filemap_add_folio(file->f_mapping, folio, done >> PAGE_SHIFT,
\t\t\t\t      GFP_KERNEL))
\t\t\tpanic(\"initrd: a page cannot become a file's\\n\");
\t\tfolio_mark_uptodate(folio);
\t\tfolio_unlock(folio);
\t}
\t/* The host does not let them be written to. */
\tfile_inode(file)->i_flags |= S_IMMUTABLE;
\treturn true;
}

static int __init uml_initrd_setup(char *line, int *add)
"
        .to_owned(),
    }
}

fn content() -> Edit {
    Edit {
        path: "init/initramfs.c",
        old: "\
static int __init do_copy(void)
{
\tif (byte_count >= body_len) {
\t\tif (xwrite(wfile, victim, body_len, &wfile_pos) != body_len)
",
        new: "\
extern bool image_content(struct file *file, void *content, size_t size);

static int __init do_copy(void)
{
\tif (byte_count >= body_len) {
\t\tif (!image_content(wfile, victim, body_len) &&
\t\t    xwrite(wfile, victim, body_len, &wfile_pos) != body_len)
"
        .to_owned(),
    }
}
