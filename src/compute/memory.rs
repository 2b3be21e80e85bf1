//! How much memory this process holds, has held at most, and could still have. Linux only; elsewhere the answers are 0.

use std::fs;

/// Lets this process keep the memory it frees, for what it allocates next. By default large arrays go back to the system
/// and come again as pages to be cleared, one by one: a tenth of a training step, which allocates what the step before it
/// freed. For work that ends with its process, not for a window, which may stay open all day.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the allocator takes its own lock; the call changes two of its limits and nothing that was allocated.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}

/// Bytes that the process holds now.
pub fn held() -> u64 {
    own("VmRSS:").unwrap_or(0)
}

/// Most bytes that the process has held since its start or the last [`forget_peak`].
pub fn peak() -> u64 {
    own("VmHWM:").unwrap_or(0)
}

/// Lets [`peak`] begin anew; says whether the system does that.
pub fn forget_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Bytes that a process could take without swapping: those of the machine, or of the group the process is limited to.
pub fn available() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| entry(&text, "MemAvailable:")).unwrap_or(0);
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max").zip(number("/sys/fs/cgroup/memory.current"));
    group.map_or(machine, |(most, now)| machine.min(most.saturating_sub(now)))
}

/// A line of the system's account of this process, such as `RssAnon:`, in bytes; `None` where there is none.
pub fn own(name: &str) -> Option<u64> {
    entry(&fs::read_to_string("/proc/self/status").ok()?, name)
}

/// A line such as `VmRSS:   1024 kB`, in bytes.
fn entry(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(rest.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_system_are_read_in_bytes() {
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t     512 kB\n";
        assert_eq!(
            ["VmRSS:", "VmHWM:", "VmSwap:"].map(|name| entry(text, name)),
            [Some(512 << 10), Some(2 << 20), None]
        );
        if cfg!(target_os = "linux") {
            assert!(held() > 1 << 20 && peak() >= held() / 2 && available() > 0);
        }
    }
}
