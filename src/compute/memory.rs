//! How much memory this process holds, has held at most, and could still have. Linux only; elsewhere the answers are 0.

use std::fs;

/// Bytes that the process holds now.
pub fn held() -> u64 {
    own("VmRSS:")
}

/// Most bytes that the process has held since its start or the last [`forget_peak`].
pub fn peak() -> u64 {
    own("VmHWM:")
}

/// Lets [`peak`] begin anew; says whether the system does that.
pub fn forget_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Bytes that a process could take without swapping: those of the machine, or of the group the process is limited to.
pub fn available() -> u64 {
    let machine = entry(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemAvailable:");
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max").zip(number("/sys/fs/cgroup/memory.current"));
    group.map_or(machine, |(most, now)| machine.min(most.saturating_sub(now)))
}

fn own(name: &str) -> u64 {
    entry(&fs::read_to_string("/proc/self/status").unwrap_or_default(), name)
}

/// A line such as `VmRSS:   1024 kB`, in bytes.
fn entry(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_system_are_read_in_bytes() {
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t     512 kB\n";
        assert_eq!((entry(text, "VmRSS:"), entry(text, "VmHWM:"), entry(text, "VmSwap:")), (512 << 10, 2 << 20, 0));
        if cfg!(target_os = "linux") {
            assert!(held() > 1 << 20 && peak() >= held() / 2 && available() > 0);
        }
    }
}
