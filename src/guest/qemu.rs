//! The QEMU command line for a distribution's kernel.

use tokio::process::Command;

use super::descriptors;
use super::image::LIBRARIES;
use super::init::CHANNEL;

/// The name of the program in Debian, Ubuntu, Fedora and Arch.
pub(super) const PROGRAM: &str = "qemu-system-x86_64";

/// The device of KVM.
pub(super) const KVM: &str = "/dev/kvm";

/// The memory of a guest in MB.
const MEMORY: &str = "1024";

/// How QEMU executes instructions, and how time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// By emulation, with virtual time: each instruction takes four nanoseconds, and idle time
    /// passes at once.
    Icount,
    /// By the processor (KVM), in real time.
    Kvm,
    /// By emulation, in real time.
    Tcg,
}

impl Accel {
    fn options(self) -> &'static [&'static str] {
        match self {
            Accel::Icount => &[
                "-accel",
                "tcg,thread=single",
                // With a larger shift the guest is so slow, by its own clock, that its watchdogs
                // fire.
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

/// The command that boots the inherited kernel with the inherited initramfs and writes the frames
/// to the inherited channel.
pub(super) fn command(accel: Accel) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(accel.options())
        .args(["-m", MEMORY, "-smp", "1"])
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none"])
        // The pipe is passed as a descriptor set: the user of the guest cannot open a pipe of
        // another user by its path, and a pipe cannot be truncated.
        .args(["-add-fd", &format!("fd={},set=1", descriptors::CHANNEL)])
        // The console and the channel are serial ports, which need no kernel module.
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
    // A panic ends QEMU. A watchdog, or a clock that the kernel must check, would wake an idle
    // guest without need, and each wake-up costs real time when time is virtual.
    format!(
        "console=ttyS0 quiet panic=-1 nokaslr nowatchdog tsc=reliable hpet=disable \
         LD_LIBRARY_PATH={LIBRARIES} {CHANNEL}=/dev/ttyS1"
    )
}
