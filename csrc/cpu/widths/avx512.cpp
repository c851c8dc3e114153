#if defined(__x86_64__)
#define GENLIB_WIDTH avx512
#include "cpu/widths/table.inc.h"

namespace genlib {
const Kernels& kernels_avx512() { return avx512::kTable; }
}  // namespace genlib
#endif
