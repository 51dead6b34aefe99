//! What is changed in the kernel's source. Each edit replaces a text that must be there exactly once, so that none is ever lost
//! without notice.

mod clock;
mod image;
mod memory;
mod programs;
mod registers;

use std::fs;
use std::path::Path;

use self::clock::clock;
use self::image::image;
pub(in crate::guest) use self::memory::DESCRIPTOR;
use self::memory::memory;
use self::programs::programs;
use self::registers::registers;
use super::error::{BuildError, Io};
use super::{Series, Wanted};
use crate::model::Hz;

/// A text to be replaced.
#[derive(Debug)]
pub(super) struct Edit {
    /// From the root of the source.
    pub(super) path: &'static str,
    pub(super) old: &'static str,
    pub(super) new: String,
}

/// The changes for such a kernel.
pub(super) fn edits(wanted: Wanted) -> Vec<Edit> {
    let mut edits = vec![
        interrupts(),
        randomness(),
        ticks(wanted.hz),
        idleness(),
        names(wanted.series),
        formats(),
    ];
    edits.extend(clock());
    edits.extend(image());
    edits.extend(memory());
    match wanted.series {
        Series::V6_1 | Series::V6_12 => edits.extend(registers()),
        Series::V7_2 => edits.extend(programs()),
    }
    edits
}

/// No clearing of the floating-point registers at each interrupt of the timer: they took a third of the time that a guest idles for.
fn interrupts() -> Edit {
    Edit {
        path: "arch/um/os-Linux/signal.c",
        old: "\t\tmemset(&regs, 0, sizeof(regs));\n\ttimer_handler(",
        new: "\
\t{
\t\tmemset(regs.gp, 0, sizeof(regs.gp));
\t\tmemset(&regs.faultinfo, 0, sizeof(regs.faultinfo));
\t\tregs.syscall = 0;
\t\tregs.is_user = 0;
\t}
\ttimer_handler("
            .to_owned(),
    }
}

/// The same random numbers in each guest.
///
/// The host's `getrandom` is the only thing in which two guests differ that were started alike: all other sources of randomness are
/// derived from time, which is virtual. With it would differ sequence numbers, ports, hash seeds, and those of the network's timers that
/// the kernel spreads at random, such as the neighbours' reachable time. In its place stands SplitMix64 from a fixed state.
fn randomness() -> Edit {
    Edit {
        path: "arch/um/os-Linux/util.c",
        old: "\treturn getrandom(buf, len, flags);\n",
        new: "\
\tstatic unsigned long long state;
\tunsigned char *bytes = buf;
\tsize_t i;

\tfor (i = 0; i < len; i++) {
\t\tunsigned long long z = (state += 0x9e3779b97f4a7c15ULL);

\t\tz = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
\t\tz = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
\t\tbytes[i] = z >> 56;
\t}
\treturn len;
"
        .to_owned(),
    }
}

/// The tick, which user-mode Linux fixes at 100 Hz and gives no choice of.
fn ticks(hz: Hz) -> Edit {
    Edit {
        path: "arch/um/Kconfig",
        old: "config HZ\n\tint\n\tdefault 100\n",
        new: format!("config HZ\n\tint\n\tdefault {}\n", hz.get()),
    }
}

/// No need to wake up every 4.29 s of idle time (2^32 ns): a virtual clock reaches as far as its 64 bits.
fn idleness() -> Edit {
    Edit {
        path: "arch/um/kernel/time.c",
        old: "\t.max_delta_ns\t\t= 0xffffffff,\n\t.max_delta_ticks\t= 0xffffffff,\n",
        new: "\t.max_delta_ns\t\t= LONG_MAX,\n\t.max_delta_ticks\t= LONG_MAX,\n".to_owned(),
    }
}

/// No replacing of enumerations by their names in the texts of all trace events, which nobody reads: it took a thirtieth of a boot. The
/// drop monitor needs what comes with trace events, and no trace.
fn names(series: Series) -> Edit {
    Edit {
        path: "kernel/trace/trace.c",
        old: match series {
            Series::V6_1 | Series::V6_12 => "\tqueue_work(eval_map_wq, &eval_map_work);\n",
            Series::V7_2 => "\tqueue_work(trace_init_wq, &eval_map_work);\n",
        },
        new: String::new(),
    }
}

/// No looking through their formats for pointers that do not last either: as much again.
fn formats() -> Edit {
    Edit {
        path: "kernel/trace/trace_events.c",
        old: "\ttest_event_printk(call);\n",
        new: String::new(),
    }
}

/// Changes the source in `tree`.
pub(super) fn apply(edits: &[Edit], tree: &Path) -> Result<(), BuildError> {
    for edit in edits {
        let path = tree.join(edit.path);
        let text = fs::read_to_string(&path).io("read", &path)?;
        let changed = replaced(&text, edit).ok_or_else(|| BuildError::Edit {
            path: path.clone(),
            old: edit.old,
        })?;
        fs::write(&path, changed).io("write", &path)?;
    }
    Ok(())
}

/// The text with the edit made; `None` unless the old text is there exactly once.
fn replaced(text: &str, edit: &Edit) -> Option<String> {
    (text.matches(edit.old).count() == 1).then(|| text.replacen(edit.old, &edit.new, 1))
}

#[cfg(test)]
mod tests {
    use super::super::recipe::tick;
    use super::*;

    fn edit() -> Edit {
        Edit {
            path: "a/file",
            old: "default 100\n",
            new: "default 250\n".to_owned(),
        }
    }

    #[test]
    fn a_text_that_is_there_once_is_replaced() {
        let changed = replaced("int\ndefault 100\nend\n", &edit());
        assert_eq!(changed.as_deref(), Some("int\ndefault 250\nend\n"));
    }

    #[test]
    fn a_text_that_is_missing_or_there_twice_is_an_error_that_names_the_file() {
        for text in ["default 1000\n", "default 100\ndefault 100\n"] {
            let tree = tempfile::tempdir().unwrap();
            fs::create_dir(tree.path().join("a")).unwrap();
            let file = tree.path().join("a/file");
            fs::write(&file, text).unwrap();
            let error = apply(&[edit()], tree.path()).unwrap_err().to_string();
            assert!(error.contains(&file.display().to_string()), "{error}");
            assert!(error.contains("default 100"), "{error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let tree = tempfile::tempdir().unwrap();
        let error = apply(&[edit()], tree.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot read "), "{error}");
        assert!(error.contains("a/file"), "{error}");
    }

    #[test]
    fn the_tick_that_is_asked_for_becomes_the_default() {
        let kconfig = "config HZ\n\tint\n\tdefault 100\n\nconfig NR_CPUS\n";
        let changed = replaced(kconfig, &ticks(tick("1000").unwrap())).unwrap();
        assert_eq!(
            changed,
            "config HZ\n\tint\n\tdefault 1000\n\nconfig NR_CPUS\n"
        );
    }
}
