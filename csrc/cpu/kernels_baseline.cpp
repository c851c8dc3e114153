#define GENLIB_WIDTH baseline
#include "cpu/attention/attend.inc.h"
#include "cpu/beam/row.inc.h"
#include "cpu/kernels.h"
#include "cpu/layers/linear.inc.h"
#include "cpu/layers/norm_rope.inc.h"
#include "cpu/math.inc.h"
#include "cpu/sampling/draw.inc.h"
#include "cpu/simd.h"

namespace genlib {
const Kernels& kernels_baseline() {
  static constexpr Kernels table = {
      .linear_panels = baseline::linear_panels,
      .norm_rows = baseline::norm_rows,
      .silu_rows = baseline::silu_rows,
      .rope_rows = baseline::rope_rows,
      .attend_chunk = baseline::attend_chunk,
      .attend_merge = baseline::attend_merge,
      .attend_finish = baseline::attend_finish,
      .sample_rows = baseline::sample_rows,
      .beam_row = baseline::beam_row,
      .read_all = baseline::read_all,
  };
  return table;
}
}  // namespace genlib
