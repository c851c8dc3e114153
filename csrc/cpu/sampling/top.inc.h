// The most likely tokens of a row, in the order of their values.
#pragma once

#include "cpu/sampling/select.inc.h"

namespace genlib::GENLIB_WIDTH {

// Tokens in order, at most kMaxTopN.
struct Top {
  float value[kMaxTopN];
  int token[kMaxTopN];
  int count;
};

// After equal values: ids arrive in ascending order.
GENLIB_INLINE void insert(Top* top, float value, int token) {
  int i = top->count++;
  for (; i > 0 && top->value[i - 1] < value; --i) {
    top->value[i] = top->value[i - 1];
    top->token[i] = top->token[i - 1];
  }
  top->value[i] = value;
  top->token[i] = token;
}

// All tokens down to the boundary.
static Top gather_top(const Row& row, const Boundary& boundary) {
  Top top;
  top.count = 0;
  int ties_left = boundary.ties;
  for (int t = 0; t < row.num_tiles; ++t) {
    if (!(row.tile_peak[t] >= boundary.value)) continue;
    const int end = tile_end(row, t);
    for (int i = t * kSampleTile; i < end; i += kLanes) {
      uint32_t bits = bits_of(at_least(load_values(row.values + i, end - i), boundary.value));
      for (; bits != 0; bits &= bits - 1) {
        const int token = i + __builtin_ctz(bits);
        const float value = row.values[token];
        if (value > boundary.value || ties_left-- > 0) insert(&top, value, token);
      }
    }
  }
  return top;
}

// The row's top_n most likely tokens; fewer if fewer are finite, of which there is at least one.
static void report_top(const SampleArgs& args, int r, Row* model, uint64_t total, double log_of_total) {
  const int wanted = args.top_n[r] < model->num_finite ? args.top_n[r] : model->num_finite;
  const Top top =
      gather_top(*model, find_boundary<Measure::kCount>(model, static_cast<uint64_t>(wanted),
                                                        static_cast<uint64_t>(model->num_finite)));
  const Against& a = model->against;
  for (int i = 0; i < top.count; ++i) {
    const int64_t at = r * args.top_columns + i;
    args.top_token[at] = top.token[i];
    args.top_probability[at] = sampling::probability((top.value[i] - a.peak) * a.scale, total);
    args.top_logprob[at] = sampling::logprob(top.value[i], a.peak, log_of_total);
  }
  sampling::write_no_top(args, r, top.count);
}

}  // namespace genlib::GENLIB_WIDTH
