// What the sampler's contract requires of its parameters.
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "cpu/sampling/sampling.h"

namespace genlib {

namespace {

void check_draw(const SampleArgs& args, int64_t row) {
  const float scale = args.scale[row];
  GENLIB_CHECK(scale == 0 || (scale >= 0x1p-64f && scale <= 0x1p64f), "`scale[", row,
               "]` must be 0 or from 2^-64 to 2^64, got ", scale);
  GENLIB_CHECK(args.top_k[row] >= 0, "`top_k[", row, "]` must be at least 0, got ", args.top_k[row]);
  GENLIB_CHECK(args.min_p[row] <= 0, "`min_p[", row, "]` must be at most 0, got ", args.min_p[row]);
  GENLIB_CHECK(args.mask[row] >= -1 && args.mask[row] < args.num_masks, "`mask[", row,
               "]` must be from -1 to ", args.num_masks - 1, ", got ", args.mask[row]);
  GENLIB_CHECK(args.forced[row] >= -1 && args.forced[row] < args.vocabulary, "`forced[", row,
               "]` must be from -1 to ", args.vocabulary - 1, ", got ", args.forced[row]);
  const int64_t most = args.top_columns < kMaxTopN ? args.top_columns : kMaxTopN;
  GENLIB_CHECK(args.top_n[row] >= 0 && args.top_n[row] <= most, "`top_n[", row, "]` must be from 0 to ", most,
               ", the columns of `top_token` (up to ", kMaxTopN, "), got ", args.top_n[row]);
}

void check_penalties(const SampleArgs& args, int64_t row) {
  GENLIB_CHECK(args.repetition[row] >= 0x1p-64f && args.repetition[row] <= 0x1p64f, "`repetition[", row,
               "]` must be from 2^-64 to 2^64, got ", args.repetition[row]);
  GENLIB_CHECK(std::fabs(args.presence[row]) <= 0x1p64f, "`presence[", row,
               "]` must be from -2^64 to 2^64, got ", args.presence[row]);
  GENLIB_CHECK(std::fabs(args.frequency[row]) <= 0x1p64f, "`frequency[", row,
               "]` must be from -2^64 to 2^64, got ", args.frequency[row]);
}

void check_edits(const SampleArgs& args, int64_t row) {
  const int64_t first = args.edit_start[row], count = args.edit_count[row];
  if (count == 0) return;
  GENLIB_CHECK(count > 0 && first >= 0 && first <= args.num_edits - count, "`edit_start[", row,
               "]` and `edit_count[", row, "]` must lie within the ", args.num_edits, " edits, got ", first,
               " and ", count);
  int32_t before = -1;
  for (int64_t i = first; i < first + count; ++i) {
    GENLIB_CHECK(args.edit_token[i] > before && args.edit_token[i] < args.vocabulary, "`edit_token[", i,
                 "]` must be from 0 to ", args.vocabulary - 1, " and, within row ", row,
                 ", more than the one before it, got ", args.edit_token[i]);
    GENLIB_CHECK(std::isfinite(args.edit_bias[i]), "`edit_bias[", i, "]` must be finite, got ",
                 args.edit_bias[i]);
    GENLIB_CHECK(args.edit_seen[i] >= -1, "`edit_seen[", i, "]` must be at least -1, got ",
                 args.edit_seen[i]);
    before = args.edit_token[i];
  }
}

}  // namespace

void check_sample_rows(const SampleArgs& args, int64_t rows) {
  for (int64_t row = 0; row < rows; ++row) {
    check_draw(args, row);
    check_penalties(args, row);
    check_edits(args, row);
  }
}

}  // namespace genlib
