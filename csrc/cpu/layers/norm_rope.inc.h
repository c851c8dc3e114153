// Row by row: norms, the gate of the feed-forward, the rotation of queries and keys with the write to the
// pages.
//
// Included once by each unit of csrc/cpu/widths.
#pragma once

#include "cpu/kernels.h"
#include "cpu/math.inc.h"
#include "cpu/simd.h"

namespace genlib::GENLIB_WIDTH {

// Σ x², sixteen sums that are folded in simd.h's tree; the lanes after the last element add 0.
GENLIB_INLINE float sum_of_squares(const float* x, int64_t size) {
  f32x16 sums = fill(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    const f32x16 v = load(x + i);
    sums = fma(v, v, sums);
  }
  if (i < size) {
    const f32x16 v = load_first(x + i, static_cast<int>(size - i));
    sums = fma(v, v, sums);
  }
  return sum(sums);
}

// out = x · scale · weight
GENLIB_INLINE void scale_row(const float* x, float scale, const float* weight, float* out, int64_t size) {
  const f32x16 s = fill(scale);
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(out + i, load(x + i) * s * load(weight + i));
  const int left = static_cast<int>(size - i);
  if (left > 0) store_first(out + i, load_first(x + i, left) * s * load_first(weight + i, left), left);
}

static void norm_rows(const NormArgs& args, int64_t first, int64_t last) {
  const int64_t size = args.size;
  for (int64_t row = first; row < last; ++row) {
    const float* x = args.x + row * size;
    if (args.residual != nullptr) {
      float* residual = args.residual + row * size;
      int64_t i = 0;
      for (; i + kLanes <= size; i += kLanes) store(residual + i, load(residual + i) + load(x + i));
      for (; i < size; ++i) residual[i] = residual[i] + x[i];
      x = residual;
    }
    scale_row(x, inverse_root_mean(sum_of_squares(x, size), size, args.eps), args.weight,
              args.out + row * size, size);
  }
}

// silu(a) = a · σ(a), with e^−|a| only: σ(a) = 1 / (1 + e^−|a|) for a ≥ 0, e^−|a| / (1 + e^−|a|) below.
GENLIB_INLINE f32x16 silu(const f32x16& a) {
  const f32x16 zero = fill(0.0f), one = fill(1.0f);
  const f32x16 e = exp_of_negative(bit_cast<float>(bit_cast<uint32_t>(a) | fill<uint32_t>(0x80000000u)));
  return a * (select_less(a, zero, e, one) / (one + e));
}

static void silu_rows(const SiluArgs& args, int64_t first, int64_t last) {
  for (int64_t row = first; row < last; ++row) {
    const float *gate = args.x + row * 2 * args.size, *up = gate + args.size;
    float* out = args.out + row * args.size;
    for (int64_t i = 0; i < args.size; i += kLanes) {
      const int n = args.size - i < kLanes ? static_cast<int>(args.size - i) : kLanes;
      store_first(out + i, silu(load_first(gate + i, n)) * load_first(up + i, n), n);
    }
  }
}

// One head: norm where there is one, then (a, b) → (a · cos − b · sin, b · cos + a · sin) for the pairs (i, i
// + D/2). `scratch` [D] holds the normed head. in → out may not overlap.
GENLIB_INLINE void rotate_head(const float* in, const float* norm, float eps, const float* cos,
                               const float* sin, int size, float* scratch, float* out) {
  if (norm != nullptr) {
    scale_row(in, inverse_root_mean(sum_of_squares(in, size), size, eps), norm, scratch, size);
    in = scratch;
  }
  const int half = size / 2;
  for (int i = 0; i < half; i += kLanes) {
    const int n = half - i < kLanes ? half - i : kLanes;
    const f32x16 a = load_first(in + i, n), b = load_first(in + half + i, n);
    const f32x16 c = load_first(cos + i, n), s = load_first(sin + i, n);
    store_first(out + i, a * c - b * s, n);
    store_first(out + half + i, b * c + a * s, n);
  }
}

static void rope_rows(const RopeArgs& args, int64_t first, int64_t last) {
  const LayerPages& pages = args.pages;
  const int size = pages.head_size, half = size / 2;
  const int64_t row_size = (args.heads + 2 * int64_t{pages.kv_heads}) * size;
  float normed[kMostHeadSize], key[kMostHeadSize];
  int seq = 0;
  for (int64_t token = first; token < last; ++token) {
    while (args.starts[seq + 1] <= token) ++seq;
    const int position = args.positions[token], slot = position % kPageSize;
    const float *cos = args.cos + int64_t{position} * half, *sin = args.sin + int64_t{position} * half;
    const float* in = args.qkv + token * row_size;
    float* out = args.out + token * args.heads * size;
    for (int h = 0; h < args.heads; ++h, in += size, out += size)
      rotate_head(in, args.q_norm, args.eps, cos, sin, size, normed, out);
    const float* values = in + int64_t{pages.kv_heads} * size;
    float* page = pages.data + args.tables[seq * args.max_pages + position / kPageSize] * pages.page_stride;
    for (int g = 0; g < pages.kv_heads; ++g, in += size, values += size, page += pages.head_stride) {
      rotate_head(in, args.k_norm, args.eps, cos, sin, size, normed, key);
      for (int d = 0; d < size; ++d) page[d * kPageSize + slot] = key[d];
      float* row = page + size * kPageSize + slot * pages.padded_size;
      for (int d = 0; d < size; ++d) row[d] = values[d];
    }
  }
}

}  // namespace genlib::GENLIB_WIDTH
