// The kernels of one width, compiled by the unit that includes this and defines GENLIB_WIDTH.
#pragma once

#include "cpu/attention/attend.inc.h"
#include "cpu/beam/row.inc.h"
#include "cpu/kernels.h"
#include "cpu/layers/linear.inc.h"
#include "cpu/layers/norm_rope.inc.h"
#include "cpu/sampling/draw.inc.h"

namespace genlib::GENLIB_WIDTH {

inline constexpr Kernels kTable = {
    .linear_panels = linear_panels,
    .norm_rows = norm_rows,
    .silu_rows = silu_rows,
    .rope_rows = rope_rows,
    .attend_chunk = attend_chunk,
    .attend_merge = attend_merge,
    .attend_finish = attend_finish,
    .sample_rows = sample_rows,
    .beam_row = beam_row,
    .read_all = read_all,
};

}  // namespace genlib::GENLIB_WIDTH
