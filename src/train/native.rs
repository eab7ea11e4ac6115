//! Most of the unsafe code: what neither `tch` nor the standard library wraps. Each call says why it
//! is sound.
#![expect(unsafe_code, reason = "foreign calls that no crate wraps; each has its reason beside it")]

use std::ffi::c_int;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use tch::Device;

// Their definitions are in native.cpp, compiled by build.rs; none lets an exception out.
unsafe extern "C" {
    fn byol_sweep_autocast_bf16(cuda: bool, on: bool) -> bool;
    fn byol_sweep_allow_tf32(allowed: bool) -> bool;
    fn byol_sweep_only_deterministic() -> bool;
    fn byol_sweep_cuda_peak(bytes: *mut u64) -> bool;
}

/// Runs `work` with bfloat16 where libtorch gains by it: convolutions and matrix products. Weights
/// stay float32. Only on this thread.
pub fn in_bf16<T>(device: Device, work: impl FnOnce() -> T) -> T {
    switch_bf16(device, true);
    let result = work();
    switch_bf16(device, false);
    result
}

fn switch_bf16(device: Device, on: bool) {
    // SAFETY: sets two fields of this thread's state.
    let switched = unsafe { byol_sweep_autocast_bf16(device.is_cuda(), on) };
    debug_assert!(switched, "bfloat16 is known to CPU and CUDA");
}

/// Lets CUDA round the inputs of matrix products and convolutions to TF32, or forbids it.
pub fn allow_tf32(allowed: bool) {
    // SAFETY: sets fields of libtorch's context; called before the first operation.
    let switched = unsafe { byol_sweep_allow_tf32(allowed) };
    debug_assert!(switched, "the context takes the setting with and without CUDA");
}

/// Makes libtorch use only kernels whose results do not depend on the run, and fail where an
/// operation has none. To be called before any thread is started and before CUDA is.
pub fn only_deterministic() {
    // SAFETY: no other thread reads the environment yet. cuBLAS looks at it when it starts.
    unsafe { std::env::set_var("CUBLAS_WORKSPACE_CONFIG", ":4096:8") };
    // SAFETY: sets fields of libtorch's context.
    let switched = unsafe { byol_sweep_only_deterministic() };
    debug_assert!(switched, "the context takes the setting with and without CUDA");
}

/// Returns the most bytes that libtorch has held on the first CUDA device that this process sees;
/// `None` where it holds none.
pub fn cuda_peak() -> Option<u64> {
    let mut bytes = 0;
    // SAFETY: writes one number, to a place that outlives the call.
    unsafe { byol_sweep_cuda_peak(&raw mut bytes) }.then_some(bytes)
}

/// Opens libtorch's CUDA part where there is one, before the first tensor is made.
///
/// The linker drops it from the worker, whose code names none of its symbols; libtorch finds CUDA
/// only once its kernels have registered themselves. Where it is missing, or no driver is there,
/// the worker runs on the CPU.
pub fn open_libtorch_cuda() {
    // SAFETY: the library's initialisers only register kernels. It stays open for the life of the
    // process, so nothing that they registered can dangle.
    if let Ok(library) = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) }
    {
        std::mem::forget(library);
    }
}

/// Keeps freed tensor memory in the process instead of giving it back to the kernel after each
/// step, which costs page faults (measured in `docs/performance.md`).
pub fn keep_freed_memory() {
    const GIBIBYTE: c_int = 1 << 30;
    // SAFETY: mallopt takes two integers and changes only the allocator's own tuning; it is called
    // before any thread is started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, GIBIBYTE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, GIBIBYTE);
    }
}
