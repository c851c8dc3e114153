#define GENLIB_WIDTH avx2
#include "cpu/kernels.h"
#include "cpu/simd.h"

#if defined(__x86_64__)
namespace genlib {
const Kernels& kernels_avx2() {
  static constexpr Kernels table = {
      .sample_rows = nullptr,
  };
  return table;
}
}  // namespace genlib
#endif
