#include "cpu/kernels.h"

namespace genlib {

const Kernels& kernels(Width width) {
#if defined(__x86_64__)
  if (width == Width::kAvx512) return kernels_avx512();
  if (width == Width::kAvx2) return kernels_avx2();
#else
  (void)width;
#endif
  return kernels_baseline();
}

bool is_supported(Width width) {
#if defined(__x86_64__)
  if (width == Width::kAvx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           is_supported(Width::kAvx2);
  if (width == Width::kAvx2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#endif
  return width == Width::kBaseline;
}

Width widest() {
  if (is_supported(Width::kAvx512)) return Width::kAvx512;
  return is_supported(Width::kAvx2) ? Width::kAvx2 : Width::kBaseline;
}

}  // namespace genlib
