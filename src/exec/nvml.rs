//! The GPUs that the NVIDIA driver shows, asked through its own library, loaded at run time: a
//! machine without a driver has none. Knows nothing of which are used.

use std::ffi::OsStr;

use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

/// `NVML_DEVICE_MIG_ENABLE`.
const MIG_ON: u32 = 1;

/// The driver, asked again and again.
#[derive(Debug)]
pub struct Driver {
    nvml: Nvml,
}

/// What the driver tells of a GPU at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuNow {
    /// What the driver calls this very card, or part of a card.
    pub uuid: String,
    /// Memory in bytes.
    pub total_bytes: u64,
    /// Of these, in use.
    pub used_bytes: u64,
    /// Processes that compute there, with the memory that each takes, where it is known.
    pub processes: Vec<(u32, Option<u64>)>,
}

/// What people want to see of a GPU; a part of a card tells less than a whole one.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuMeter {
    /// The card.
    pub gpu: Gpu,
    /// Bytes of its memory in use.
    pub used_bytes: u64,
    /// Share of the last moments in which something computed, in percent.
    pub busy_percent: Option<u32>,
    /// Degrees Celsius.
    pub celsius: Option<u32>,
    /// Power that it draws.
    pub watts: Option<f64>,
}

impl Driver {
    /// Opens the driver's library; `None` where there is none or it does not answer.
    pub fn open() -> Option<Self> {
        // The name with the version is what drivers install; the bare one belongs to development
        // kits.
        let library = OsStr::new("libnvidia-ml.so.1");
        Nvml::builder().lib_path(library).init().ok().map(|nvml| Self { nvml })
    }

    /// Returns all GPUs, those that a card is divided into one by one; one that does not answer is
    /// left out.
    pub fn look(&self) -> Vec<GpuNow> {
        self.devices().filter_map(|(_, device)| now(&device).ok()).collect()
    }

    /// Reads the meters of all GPUs; one that does not answer is left out.
    pub fn meters(&self) -> Vec<GpuMeter> {
        self.devices().filter_map(|(index, device)| meter(index, &device).ok()).collect()
    }

    /// Returns the handles of all GPUs with the index of their card.
    fn devices(&self) -> impl Iterator<Item = (u32, Device<'_>)> {
        let cards = 0..self.nvml.device_count().unwrap_or(0);
        cards.flat_map(|index| {
            let card = self.nvml.device_by_index(index).ok();
            let parts: Vec<Device<'_>> = card.as_ref().map(parts).unwrap_or_default();
            let whole = if parts.is_empty() { card } else { None };
            parts.into_iter().chain(whole).map(move |device| (index, device))
        })
    }
}

/// Returns what a card is divided into (MIG); CUDA then computes on the parts only.
fn parts<'a>(card: &Device<'a>) -> Vec<Device<'a>> {
    let divided = card.mig_mode().is_ok_and(|mode| mode.current == MIG_ON);
    let count = if divided { card.mig_device_count().unwrap_or(0) } else { 0 };
    (0..count).filter_map(|place| card.mig_device_by_index(place).ok()).collect()
}

fn now(device: &Device<'_>) -> Result<GpuNow, NvmlError> {
    let memory = device.memory_info()?;
    // Older drivers know only the older call.
    let processes =
        device.running_compute_processes().or_else(|_| device.running_compute_processes_v2())?;
    let bytes = |used| match used {
        UsedGpuMemory::Used(bytes) => Some(bytes),
        UsedGpuMemory::Unavailable => None,
    };
    Ok(GpuNow {
        uuid: device.uuid()?,
        total_bytes: memory.total,
        used_bytes: memory.used,
        processes: processes
            .into_iter()
            .map(|process| (process.pid, bytes(process.used_gpu_memory)))
            .collect(),
    })
}

fn meter(index: u32, device: &Device<'_>) -> Result<GpuMeter, NvmlError> {
    let memory = device.memory_info()?;
    Ok(GpuMeter {
        gpu: Gpu { index, uuid: device.uuid()?, name: device.name()?, memory_bytes: memory.total },
        used_bytes: memory.used,
        busy_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
        celsius: device.temperature(TemperatureSensor::Gpu).ok(),
        watts: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1000.0),
    })
}

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
    let all = Driver::open().map(|driver| all(&driver)).unwrap_or_default();
    match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(mask) => masked(&all, &mask),
        Err(_) => all,
    }
}

fn all(driver: &Driver) -> Vec<Gpu> {
    let gpu = |(index, device): (u32, Device<'_>)| {
        Ok::<_, NvmlError>(Gpu {
            index,
            uuid: device.uuid()?,
            name: device.name()?,
            memory_bytes: device.memory_info().map_or(0, |memory| memory.total),
        })
    };
    driver.devices().filter_map(|device| gpu(device).ok()).collect()
}

/// Returns the version of the driver, where there is one.
pub fn driver_version() -> Option<String> {
    Driver::open()?.nvml.sys_driver_version().ok()
}

/// Applies a mask as CUDA does: indices, or beginnings of the UUIDs of cards or of their parts; the
/// first that fits nothing ends the list.
fn masked(all: &[Gpu], mask: &str) -> Vec<Gpu> {
    let find = |entry: &str| {
        let entry = entry.trim();
        all.iter().find(|gpu| match entry.parse::<u32>() {
            Ok(index) => gpu.index == index,
            Err(_) => is_uuid(entry) && gpu.uuid.starts_with(entry),
        })
    };
    mask.split(',').map_while(|entry| find(entry).cloned()).collect()
}

fn is_uuid(entry: &str) -> bool {
    entry.starts_with("GPU-") || entry.starts_with("MIG-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_cards_are_chosen_by_their_own_names() {
        let part = |index: u32, uuid: &str| Gpu {
            index,
            uuid: uuid.into(),
            name: "model".into(),
            memory_bytes: 0,
        };
        let all = [part(0, "MIG-aa"), part(0, "MIG-bb"), part(1, "GPU-cc")];
        let found = |mask: &str| {
            masked(&all, mask).iter().map(|gpu| gpu.uuid.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("MIG-bb,GPU-cc"), "MIG-bb GPU-cc");
        assert_eq!(found("1,MIG-a"), "GPU-cc MIG-aa");
        assert_eq!(found("MIG-x,GPU-cc"), "");
    }

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
