//! The changes to the kernel's source. Each edit replaces a text that must occur exactly once, so
//! that a source that has changed never loses an edit without an error.

mod clock;
mod image;
mod memory;
mod programs;
mod registers;

use std::fs;
use std::path::Path;

use self::clock::clock;
use self::image::image;
pub use self::memory::MEMORY_DESCRIPTOR;
use self::memory::memory;
use self::programs::programs;
use self::registers::registers;
use crate::error::{BuildError, Io};
use crate::spec::{KernelSpec, Series, Tick};

/// A replacement of text in a file.
#[derive(Debug)]
pub(crate) struct Edit {
    /// The path, relative to the root of the source.
    pub(crate) path: &'static str,
    pub(crate) old: &'static str,
    pub(crate) new: String,
}

/// All edits for a kernel.
pub(crate) fn edits(spec: KernelSpec) -> Vec<Edit> {
    let mut edits = vec![
        interrupts(),
        randomness(),
        timer(spec.tick),
        idleness(),
        names(spec.series),
        formats(),
    ];
    edits.extend(clock());
    edits.extend(image());
    edits.extend(memory());
    match spec.series {
        Series::V6_1 | Series::V6_12 => edits.extend(registers()),
        Series::V7_2 => edits.extend(programs()),
    }
    edits
}

/// The timer interrupt does not clear the floating-point registers: that took a third of the
/// processor time of an idle guest.
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

/// Each guest has the same random numbers.
///
/// The host's `getrandom` is the only difference between two guests that start with the same input:
/// the kernel derives all other randomness from time, which is virtual. Sequence numbers, ports,
/// hash seeds and randomized timers of the network (a neighbour's reachable time) depend on it.
/// SplitMix64 with a fixed initial state replaces it.
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

/// The tick, which is fixed at 100 Hz in user-mode Linux.
fn timer(tick: Tick) -> Edit {
    Edit {
        path: "arch/um/Kconfig",
        old: "config HZ\n\tint\n\tdefault 100\n",
        new: format!("config HZ\n\tint\n\tdefault {tick}\n"),
    }
}

/// The clock event device accepts delays of up to 2^63 ns. With its limit of 2^32 ns, an idle guest
/// wakes up every 4.29 s.
fn idleness() -> Edit {
    Edit {
        path: "arch/um/kernel/time.c",
        old: "\t.max_delta_ns\t\t= 0xffffffff,\n\t.max_delta_ticks\t= 0xffffffff,\n",
        new: "\t.max_delta_ns\t\t= LONG_MAX,\n\t.max_delta_ticks\t= LONG_MAX,\n".to_owned(),
    }
}

/// The boot does not replace enumerations by their names in the formats of all trace events: that
/// took a thirtieth of the boot. The drop monitor depends on trace events, but nothing reads a
/// trace.
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

/// The boot does not check the formats of trace events for unsafe pointers, which took as long.
fn formats() -> Edit {
    Edit {
        path: "kernel/trace/trace_events.c",
        old: "\ttest_event_printk(call);\n",
        new: String::new(),
    }
}

/// Applies the edits to the source in `tree`.
pub(crate) fn apply(edits: &[Edit], tree: &Path) -> Result<(), BuildError> {
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

/// The text with the replacement; `None` unless the old text occurs exactly once.
fn replaced(text: &str, edit: &Edit) -> Option<String> {
    (text.matches(edit.old).count() == 1).then(|| text.replacen(edit.old, &edit.new, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit() -> Edit {
        Edit {
            path: "a/file",
            old: "default 100\n",
            new: "default 250\n".to_owned(),
        }
    }

    #[test]
    fn a_text_that_occurs_once_is_replaced() {
        let changed = replaced("int\ndefault 100\nend\n", &edit());
        assert_eq!(changed.as_deref(), Some("int\ndefault 250\nend\n"));
    }

    #[test]
    fn a_text_that_is_missing_or_occurs_twice_is_an_error() {
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
    fn the_requested_tick_becomes_the_default() {
        let kconfig = "config HZ\n\tint\n\tdefault 100\n\nconfig NR_CPUS\n";
        let changed = replaced(kconfig, &timer(Tick::Hz1000)).unwrap();
        assert_eq!(
            changed,
            "config HZ\n\tint\n\tdefault 1000\n\nconfig NR_CPUS\n"
        );
    }
}
