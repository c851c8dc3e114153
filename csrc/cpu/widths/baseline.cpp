#define GENLIB_WIDTH baseline
#include "cpu/widths/table.inc.h"

namespace genlib {
const Kernels& kernels_baseline() { return baseline::kTable; }
}  // namespace genlib
