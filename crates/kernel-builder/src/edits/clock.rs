//! The clock of a guest's programs.

use super::Edit;

/// The vDSO, a page that the kernel maps into each program, contains the time.
///
/// The vDSO of user-mode Linux makes a system call, which takes two process switches. A third of
/// all system calls of a guest's programs read the clock. In the mode with an infinitely fast
/// processor no time passes while a program runs, so the time at which it was scheduled stays
/// correct until the kernel runs again. Only a program that polls the clock in a loop would never
/// end.
///
/// With interrupts off, the kernel reads its clock without advancing it (`timer_read`).
pub(crate) fn clock() -> [Edit; 6] {
    [read(), room(), place(), write(), known(), moment()]
}

/// The last 64 bytes of the page of this code: whether the times are valid, then the seconds and
/// nanoseconds of `CLOCK_REALTIME` (0) and of `CLOCK_MONOTONIC` (1).
fn read() -> Edit {
    Edit {
        path: "arch/x86/um/vdso/um_vdso.c",
        old: "\
\tlong ret;

\tasm(\"syscall\"
\t\t: \"=a\" (ret)
\t\t: \"0\" (__NR_clock_gettime),",
        new: "\
\tconst volatile long *times;
\tlong ret, seconds, nanoseconds;

\tasm(\"lea 0(%%rip), %0\" : \"=r\" (times));
\ttimes = (const volatile long *)(((unsigned long)times | 4095) - 63);
\tif (times[0] && (clock == 0 || clock == 1)) {
\t\tseconds = times[1 + 2 * clock];
\t\tnanoseconds = times[2 + 2 * clock];
\t\t/* The kernel may come between: these are not on this page. */
\t\tts->tv_sec = seconds;
\t\tts->tv_nsec = nanoseconds;
\t\treturn 0;
\t}

\tasm(\"syscall\"
\t\t: \"=a\" (ret)
\t\t: \"0\" (__NR_clock_gettime),"
            .to_owned(),
    }
}

fn room() -> Edit {
    Edit {
        path: "arch/x86/um/vdso/vma.c",
        old: "\tBUG_ON(vdso_end - vdso_start > PAGE_SIZE);\n",
        new: "\tBUG_ON(vdso_end - vdso_start > PAGE_SIZE - 64);\n".to_owned(),
    }
}

fn place() -> Edit {
    Edit {
        path: "arch/x86/um/vdso/vma.c",
        old: "\tcopy_page(page_address(um_vdso), vdso_start);\n",
        new: "\
\tcopy_page(page_address(um_vdso), vdso_start);
\tvdso_times = page_address(um_vdso) + PAGE_SIZE - 64;
\tmemset(vdso_times, 0, 64);
"
        .to_owned(),
    }
}

fn write() -> Edit {
    Edit {
        path: "arch/x86/um/vdso/vma.c",
        old: "static int __init init_vdso(void)\n{\n",
        new: "\
#include <linux/timekeeping.h>
#include <linux/time-internal.h>

static long *vdso_times;

extern void vdso_set_times(void);

void vdso_set_times(void)
{
\tstruct timespec64 realtime, monotonic;
\tunsigned long flags;

\tif (!vdso_times || time_travel_mode != TT_MODE_INFCPU)
\t\treturn;

\tlocal_irq_save(flags);
\tktime_get_real_ts64(&realtime);
\tktime_get_ts64(&monotonic);
\tlocal_irq_restore(flags);
\tvdso_times[1] = realtime.tv_sec;
\tvdso_times[2] = realtime.tv_nsec;
\tvdso_times[3] = monotonic.tv_sec;
\tvdso_times[4] = monotonic.tv_nsec;
\tvdso_times[0] = 1;
}

static int __init init_vdso(void)
{
"
        .to_owned(),
    }
}

fn known() -> Edit {
    Edit {
        path: "arch/um/kernel/process.c",
        old: "void interrupt_end(void)\n{\n",
        new: "extern void vdso_set_times(void);\n\nvoid interrupt_end(void)\n{\n".to_owned(),
    }
}

/// Every return from the kernel to a program passes here.
fn moment() -> Edit {
    Edit {
        path: "arch/um/kernel/process.c",
        old: "\t\t\tresume_user_mode_work(regs);\n\t\tthread_flags = read_thread_flags();\n\t}\n",
        new: "\
\t\t\tresume_user_mode_work(regs);
\t\tthread_flags = read_thread_flags();
\t}
\tvdso_set_times();
"
        .to_owned(),
    }
}
