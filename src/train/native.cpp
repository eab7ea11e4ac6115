// What libtorch offers and tch does not wrap. Plain C signatures; native.rs declares them. No
// exception leaves: a false return says that libtorch refused.

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <c10/core/CachingDeviceAllocator.h>

namespace {

template <typename Call> bool succeeds(Call call) noexcept {
    try {
        call();
        return true;
    } catch (...) {
        return false;
    }
}

} // namespace

extern "C" {

// Operations that gain by it run in bfloat16 on this thread, or no longer do.
bool byol_sweep_autocast_bf16(bool cuda, bool on) {
    return succeeds([&] {
        auto device = cuda ? at::kCUDA : at::kCPU;
        at::autocast::set_autocast_dtype(device, at::kBFloat16);
        at::autocast::set_autocast_enabled(device, on);
        // Weights are cast once a step: they have changed by the next one.
        if (!on)
            at::autocast::clear_cache();
    });
}

// Matrix products and convolutions on CUDA may round their inputs to TF32, or may not.
bool byol_sweep_allow_tf32(bool allowed) {
    return succeeds([&] {
        at::globalContext().setAllowTF32CuBLAS(allowed);
        at::globalContext().setAllowTF32CuDNN(allowed);
    });
}

// Operations that have no deterministic kernel fail from here on, and cuDNN no longer tries out
// which kernel is fastest.
bool byol_sweep_only_deterministic() {
    return succeeds([] {
        at::globalContext().setBenchmarkCuDNN(false);
        at::globalContext().setDeterministicCuDNN(true);
        at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
    });
}

// The most bytes that libtorch has held on the first CUDA device; false where it holds none.
bool byol_sweep_cuda_peak(uint64_t *bytes) {
    return succeeds([&] {
        auto stats = at::getDeviceAllocator(at::kCUDA)->getDeviceStats(0);
        auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
        *bytes = static_cast<uint64_t>(stats.reserved_bytes[all].peak);
    });
}
}
