#if defined(__x86_64__)
#define GENLIB_WIDTH avx2
#include "cpu/widths/table.inc.h"

namespace genlib {
const Kernels& kernels_avx2() { return avx2::kTable; }
}  // namespace genlib
#endif
