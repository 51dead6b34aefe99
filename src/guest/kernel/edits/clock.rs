//! What a guest's programs are told of the time.

use super::Edit;

/// The page that is mapped into each program (vDSO) tells the time of itself.
///
/// In user-mode Linux it asks the kernel, which takes two switches between processes; and programs look at the clock so often that it was a
/// third of all their system calls. On an infinitely fast processor no time passes while a program runs, so what the clock shows when it
/// begins to run is true until the kernel is next at work. Only a program that does nothing but wait for the clock would wait for ever.
///
/// With interrupts off, the kernel reads its clock without moving it on (`timer_read`).
pub(super) fn clock() -> [Edit; 6] {
    [read(), room(), place(), write(), known(), moment()]
}

/// The times lie at the end of the page that this code is on: whether they hold, then seconds and nanoseconds of `CLOCK_REALTIME` (0) and of
/// `CLOCK_MONOTONIC` (1).
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

/// Whatever the kernel has done, this is where it goes back to a program.
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
