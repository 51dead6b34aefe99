//! A distribution's kernel, in QEMU.

use tokio::process::Command;

use super::descriptors;
use super::image::LIBRARIES;
use super::init::CHANNEL;

/// The program, as Debian, Ubuntu, Fedora and Arch call it.
pub(super) const PROGRAM: &str = "qemu-system-x86_64";

/// The device that QEMU executes a guest's instructions with.
pub(super) const KVM: &str = "/dev/kvm";

/// In MB, as in user mode.
const MEMORY: &str = "1024";

/// How instructions are executed, and with them how time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// Translated and counted: time is virtual, four nanoseconds an instruction, and idle time
    /// passes at once.
    Icount,
    /// By the processor itself, in real time.
    Kvm,
    /// Translated, in real time.
    Tcg,
}

impl Accel {
    fn options(self) -> &'static [&'static str] {
        match self {
            Accel::Icount => &[
                "-accel",
                "tcg,thread=single",
                // With a larger shift the guest is so slow, by its own clock, that its watchdogs
                // bark.
                "-icount",
                "shift=2,sleep=off",
                "-seed",
                "42",
                "-rtc",
                "base=2023-11-14T22:13:20,clock=vm",
            ],
            Accel::Kvm => &["-accel", "kvm", "-cpu", "host"],
            Accel::Tcg => &["-accel", "tcg"],
        }
    }
}

/// The command that boots the inherited kernel with the inherited image and answers on the
/// inherited channel.
pub(super) fn command(accel: Accel) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(accel.options())
        .args(["-m", MEMORY, "-smp", "1"])
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none"])
        // A pipe cannot be opened by whom it does not belong to, nor truncated.
        .args(["-add-fd", &format!("fd={},set=1", descriptors::CHANNEL)])
        // The console, and the channel. Serial ports need no module.
        .args(["-serial", "stdio", "-chardev"])
        .arg("file,id=channel,path=/dev/fdset/1,append=on")
        .args(["-serial", "chardev:channel", "-kernel"])
        .arg(format!("/proc/self/fd/{}", descriptors::KERNEL))
        .arg("-initrd")
        .arg(format!("/proc/self/fd/{}", descriptors::PROGRAM))
        .arg("-append")
        .arg(kernel_command_line());
    command
}

fn kernel_command_line() -> String {
    // A panic ends QEMU. A watchdog and a clock that must be watched wake the guest for nothing,
    // which is what virtual time costs.
    format!(
        "console=ttyS0 quiet panic=-1 nokaslr nowatchdog tsc=reliable hpet=disable \
         LD_LIBRARY_PATH={LIBRARIES} {CHANNEL}=/dev/ttyS1"
    )
}
