#define GENLIB_WIDTH avx2
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
const Kernels& kernels_avx2() {
  static constexpr Kernels table = {
      .linear_panels = avx2::linear_panels,
      .norm_rows = avx2::norm_rows,
      .silu_rows = avx2::silu_rows,
      .rope_rows = avx2::rope_rows,
      .attend_chunk = avx2::attend_chunk,
      .attend_merge = avx2::attend_merge,
      .attend_finish = avx2::attend_finish,
      .sample_rows = avx2::sample_rows,
      .beam_row = avx2::beam_row,
      .read_all = avx2::read_all,
  };
  return table;
}
}  // namespace genlib
#endif
