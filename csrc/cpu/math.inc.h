// exp, softmax and 1/√ with the same bits on every width.
#pragma once

#include "cpu/simd.h"

namespace genlib::GENLIB_WIDTH {

// e^x for x ≤ 0, relative error below 2e-7 (tests measure it); 0 below −87.3365, where it would leave the
// normal range; NaN stays NaN. x = n · ln 2 + r with |r| ≤ ln 2 / 2: 2^n · e^r, e^r by a polynomial of degree
// 6 whose coefficients were fitted for the least largest relative error (3.1e-9 before rounding).
GENLIB_INLINE f32x16 exp_of_negative(const f32x16& x) {
  const f32x16 one = fill(1.0f);
  // Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits.
  const f32x16 shifted = fma(x, fill(0x1.715476p+0f), fill(0x1.8p+23f));
  const f32x16 n = shifted - fill(0x1.8p+23f);
  f32x16 r = fma(n, fill(-0x1.62e000p-1f), x);
  r = fma(n, fill(-0x1.0bfbe8p-15f), r);
  f32x16 p = fma(r, fill(0.0013814601115882397f), fill(0.008368715643882751f));
  p = fma(p, r, fill(0.04166838899254799f));
  p = fma(p, r, fill(0.1666652113199234f));
  p = fma(p, r, fill(0.4999999403953552f));
  p = fma(p, r, one);
  p = fma(p, r, one);
  const u32x16 bits = (bit_cast<uint32_t>(shifted) << fill<uint32_t>(23)) + bit_cast<uint32_t>(one);
  return select_less(x, fill(-87.3365f), fill(0.0f), p * bit_cast<float>(bits));
}

// scores → e^(score · scale − maximum), zeros after the n visible ones; their maximum and mass.
static void softmax_row(float* scores, int n, float scale, float* maximum, float* mass) {
  const f32x16 s = fill(scale), low = fill(-__builtin_inff());
  const int whole = n / kLanes * kLanes, left = n - whole;
  f32x16 most = low, sums = fill(0.0f);
  for (int i = 0; i < whole; i += kLanes) most = max(load(scores + i) * s, most);
  if (left > 0) most = max(keep_first(load(scores + whole) * s, left, low), most);
  *maximum = max_of(most);
  const f32x16 m = fill(*maximum);
  for (int i = 0; i < whole; i += kLanes) {
    const f32x16 e = exp_of_negative(load(scores + i) * s - m);
    store(scores + i, e);
    sums = sums + e;
  }
  if (left > 0) {
    const f32x16 e = keep_first(exp_of_negative(load(scores + whole) * s - m), left, fill(0.0f));
    store(scores + whole, e);
    sums = sums + e;
  }
  *mass = sum(sums);
}

// 1 / √(sum / size + eps), each step rounded once.
GENLIB_INLINE float inverse_root_mean(float sum_of_squares, int64_t size, float eps) {
  return 1.0f / __builtin_sqrtf(sum_of_squares / static_cast<float>(size) + eps);
}

}  // namespace genlib::GENLIB_WIDTH
