//! How much memory this process has taken. Knows nothing of what for.
//!
//! The host's memory is the kernel's count, a GPU's that of libtorch's allocator.

use std::collections::BTreeMap;

use tch::Device;

use super::native;

/// Returns the most memory that this process ever took, by metric, in bytes.
pub(super) fn peaks(device: Device) -> BTreeMap<String, f64> {
    let gpu = if device.is_cuda() { native::cuda_peak() } else { None };
    let peaks = [("peak_resident_bytes", peak_resident_bytes()), ("peak_device_bytes", gpu)];
    let known = peaks.into_iter().filter_map(|(name, bytes)| Some((name, bytes?)));
    known.map(|(name, bytes)| (name.to_owned(), bytes as f64)).collect()
}

/// Returns the most memory that was ever resident, in bytes, libtorch itself included; `None` where
/// the system does not tell.
fn peak_resident_bytes() -> Option<u64> {
    peak(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Finds the peak in the text of `/proc/self/status`, which has it in KiB.
fn peak(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        let status = "Name:\tworker\nVmPeak:\t  999 kB\nVmHWM:\t   10240 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak(status), Some(10_485_760));
        assert_eq!(peak("Name:\tworker\n"), None);
    }

    #[test]
    fn this_process_has_a_peak() {
        // A test binary alone is larger.
        assert!(peak_resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
