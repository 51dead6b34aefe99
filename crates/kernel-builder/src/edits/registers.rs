//! The floating-point registers of a guest's processes. The host keeps them, and user-mode Linux
//! reads and writes them by ptrace.

use super::Edit;

/// The buffer is large enough for every host, and unchanged registers are not written.
pub(crate) fn registers() -> [Edit; 5] {
    [room(), length(), cache(), fault_before(), fault_after()]
}

/// User-mode Linux has a buffer of 2696 bytes, the size of the XSAVE area up to AVX-512. The host
/// refuses to set fewer bytes than the processor has (`xstateregs_set`: EFAULT). A processor with
/// AMX has 11,008 bytes, whether AMX is permitted or not, and the guest panics at its first process
/// ("ptrace set fp regs failed, errno = 14"). The size is a maximum: on another processor the host
/// uses less of it. Three pages are enough for all registers of present processors. The buffer also
/// lies on the stack of each kernel thread, hence `CONFIG_KERNEL_STACK_ORDER=3`.
fn room() -> Edit {
    Edit {
        path: "arch/x86/um/user-offsets.c",
        old: "DEFINE_LONGS(HOST_FP_SIZE, 2696);",
        new: "DEFINE_LONGS(HOST_FP_SIZE, 12288);".to_owned(),
    }
}

/// The part of the buffer that the host uses.
fn length() -> Edit {
    Edit {
        path: "arch/x86/um/os-Linux/registers.c",
        old: "NT_X86_XSTATE, &iov) == 0)\n\t\thave_xstate_support = 1;\n",
        new: "\
NT_X86_XSTATE, &iov) == 0) {
\t\thave_xstate_support = 1;
\t\tknown_size = iov.iov_len;
\t}
"
        .to_owned(),
    }
}

/// User-mode Linux writes the registers whenever it resumes a process, although their values are
/// those that it has just read. Of the host's system calls for one system call of the guest this is
/// the slowest, since the host allocates memory. The cache holds the registers of the last process.
fn cache() -> Edit {
    Edit {
        path: "arch/x86/um/os-Linux/registers.c",
        old: "\
#else

int get_fp_registers(int pid, unsigned long *regs)
{
\treturn save_fp_registers(pid, regs);
}

int put_fp_registers(int pid, unsigned long *regs)
{
\treturn restore_fp_registers(pid, regs);
}
",
        new: "\
#else

#include <string.h>

static int known_pid;
static unsigned long known[FP_SIZE];
static size_t known_size = sizeof(known);

static int remember(int err, int pid, unsigned long *regs)
{
\tknown_pid = err ? 0 : pid;
\tmemcpy(known, regs, known_size);
\treturn err;
}

extern void forget_fp_registers(void);

void forget_fp_registers(void)
{
\tknown_pid = 0;
}

int get_fp_registers(int pid, unsigned long *regs)
{
\treturn remember(save_fp_registers(pid, regs), pid, regs);
}

int put_fp_registers(int pid, unsigned long *regs)
{
\tif (pid == known_pid && !memcmp(known, regs, known_size))
\t\treturn 0;
\treturn remember(restore_fp_registers(pid, regs), pid, regs);
}
"
        .to_owned(),
    }
}

/// The handler that determines the address of a page fault runs with other registers and never
/// returns. `userspace` reads the registers of the process before and writes them afterwards, so
/// that this code need not do it again.
fn fault_before() -> Edit {
    Edit {
        path: "arch/um/os-Linux/skas/process.c",
        old: "\
\tint err;

\terr = get_fp_registers(pid, aux_fp_regs);
\tif (err < 0) {
\t\tprintk(UM_KERN_ERR \"save_fp_registers returned %d\\n\",
\t\t       err);
\t\tfatal_sigsegv();
\t}
\terr = ptrace(",
        new: "\
\textern void forget_fp_registers(void);
\tint err;

\tforget_fp_registers();
\terr = ptrace("
            .to_owned(),
    }
}

fn fault_after() -> Edit {
    Edit {
        path: "arch/um/os-Linux/skas/process.c",
        old: "
\terr = put_fp_registers(pid, aux_fp_regs);
\tif (err < 0) {
\t\tprintk(UM_KERN_ERR \"put_fp_registers returned %d\\n\",
\t\t       err);
\t\tfatal_sigsegv();
\t}
",
        new: String::new(),
    }
}
