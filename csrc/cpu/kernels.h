// What each vector width provides. One table a width, filled in kernels_<width>.cpp; chosen once, by `Runtime`.
//
// The functions are pure loops over the rows (or panels) that they are given: no threads, no allocation, no
// exceptions. All widths give the same bits. `scratch` is 64-byte aligned and belongs to the calling thread.
#pragma once

#include <cstdint>

namespace genlib {

enum class Width { kBaseline, kAvx2, kAvx512 };

struct SampleArgs;  // csrc/cpu/sampling.h

struct Kernels {
  void (*sample_rows)(const SampleArgs& args, int first_row, int last_row, void* scratch);
};

const Kernels& kernels(Width width);
// Whether this build and this machine can run `width`.
bool is_supported(Width width);
Width widest();

const Kernels& kernels_baseline();
#if defined(__x86_64__)
const Kernels& kernels_avx2();
const Kernels& kernels_avx512();
#endif

}  // namespace genlib
