//! The GPUs that the NVIDIA driver shows, asked through its own library, loaded at run time: a
//! machine without a driver has none. Knows nothing of which are used.

use std::ffi::OsStr;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

/// One GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Index in the order of the PCI bus, as `nvidia-smi` shows it.
    pub index: u32,
    /// What the driver calls this very card.
    pub uuid: String,
    /// Model.
    pub name: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// Returns the GPUs that `CUDA_VISIBLE_DEVICES` leaves visible, in its order; none without a
/// driver.
pub fn visible_gpus() -> Vec<Gpu> {
    // Where the driver's library is missing or does not answer there is no GPU to use.
    let all = driver_gpus().unwrap_or_default();
    match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(mask) => masked(&all, &mask),
        Err(_) => all,
    }
}

fn driver_gpus() -> Result<Vec<Gpu>, NvmlError> {
    // The name with the version is what drivers install; the bare one belongs to development kits.
    let nvml = Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init()?;
    (0..nvml.device_count()?)
        .map(|index| {
            let device = nvml.device_by_index(index)?;
            Ok(Gpu {
                index,
                uuid: device.uuid()?,
                name: device.name()?,
                memory_bytes: device.memory_info().map_or(0, |memory| memory.total),
            })
        })
        .collect()
}

/// Returns the version of the driver, where there is one.
pub fn driver_version() -> Option<String> {
    let nvml = Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init().ok()?;
    nvml.sys_driver_version().ok()
}

/// Applies a mask as CUDA does: indices or beginnings of UUIDs; the first that fits nothing ends
/// the list.
fn masked(all: &[Gpu], mask: &str) -> Vec<Gpu> {
    let find = |entry: &str| {
        let entry = entry.trim();
        all.iter().find(|gpu| match entry.parse::<u32>() {
            Ok(index) => gpu.index == index,
            Err(_) => entry.starts_with("GPU-") && gpu.uuid.starts_with(entry),
        })
    };
    mask.split(',').map_while(|entry| find(entry).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_chooses_orders_and_ends_at_the_first_stranger() {
        let gpu = |index: u32| Gpu {
            index,
            uuid: format!("GPU-{index}f"),
            name: "model".into(),
            memory_bytes: 0,
        };
        let all = [gpu(0), gpu(1), gpu(2)];
        let cases: [(&str, &[u32]); 7] = [
            ("0,1,2", &[0, 1, 2]),
            ("2, 0", &[2, 0]),
            ("GPU-1", &[1]),
            ("0,-1,2", &[0]),
            ("", &[]),
            ("-1", &[]),
            ("NoDevFiles", &[]),
        ];
        for (mask, expected) in cases {
            let found: Vec<u32> = masked(&all, mask).iter().map(|gpu| gpu.index).collect();
            assert_eq!(found, expected, "{mask}");
        }
    }
}
