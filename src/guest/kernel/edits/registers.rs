//! The floating-point registers of a guest's processes, which the host keeps and user-mode Linux reads and writes by ptrace.

use super::Edit;

/// Room for all that a host has, and no writing of what is there already.
pub(super) fn registers() -> [Edit; 5] {
    [room(), length(), cache(), fault_before(), fault_after()]
}

/// User-mode Linux has a buffer of 2696 bytes: what the processor's XSAVE area takes up to AVX-512. The host refuses to set fewer than
/// it has (`xstateregs_set`: EFAULT), and a processor with AMX has 11,008 bytes, permitted or not: the guest panics at its first process
/// ("ptrace set fp regs failed, errno = 14"). The size is a maximum; on another processor, the host uses less of it. Three pages hold
/// every register that processors have today, with some to spare. The buffer lies on the stack of each kernel thread too, hence
/// `CONFIG_KERNEL_STACK_ORDER=3`.
fn room() -> Edit {
    Edit {
        path: "arch/x86/um/user-offsets.c",
        old: "DEFINE_LONGS(HOST_FP_SIZE, 2696);",
        new: "DEFINE_LONGS(HOST_FP_SIZE, 12288);".to_owned(),
    }
}

/// How much of the room the host uses.
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

/// User-mode Linux writes them each time that it lets a process go on, though they are what it has just read. Of all that a system call
/// makes it ask of the host, that takes the longest: the host allocates memory for it. So it is remembered what the process that was
/// last seen has in them.
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

/// The handler that a page fault is looked into with starts with other registers, and never returns. `userspace` has read those of the
/// process before, and writes them before it goes on: there is no need to do so here again.
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
