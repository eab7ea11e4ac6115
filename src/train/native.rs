//! The only unsafe code: what neither `tch` nor the standard library wraps. Each call says why it
//! is sound.
#![expect(unsafe_code, reason = "foreign calls that no crate wraps; each has its reason beside it")]

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

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
    const GIBIBYTE: libc::c_int = 1 << 30;
    // SAFETY: mallopt takes two integers and changes only the allocator's own tuning; it is called
    // before any thread is started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, GIBIBYTE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, GIBIBYTE);
    }
}
