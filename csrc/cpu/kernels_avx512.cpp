#define GENLIB_WIDTH avx512
#include "cpu/kernels.h"

#if defined(__x86_64__)
#include "cpu/attention/attend.inc.h"
#include "cpu/beam/row.inc.h"
#include "cpu/layers/linear.inc.h"
#include "cpu/layers/norm_rope.inc.h"
#include "cpu/math.inc.h"
#include "cpu/sampling/draw.inc.h"
#include "cpu/simd.h"

namespace genlib {
const Kernels& kernels_avx512() {
  static constexpr Kernels table = {
      .linear_panels = avx512::linear_panels,
      .norm_rows = avx512::norm_rows,
      .silu_rows = avx512::silu_rows,
      .rope_rows = avx512::rope_rows,
      .attend_chunk = avx512::attend_chunk,
      .attend_merge = avx512::attend_merge,
      .attend_finish = avx512::attend_finish,
      .sample_rows = avx512::sample_rows,
      .beam_row = avx512::beam_row,
      .read_all = avx512::read_all,
  };
  return table;
}
}  // namespace genlib
#endif
